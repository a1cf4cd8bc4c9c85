"""Boxes as NumPy arrays, in pixels: how much they share, and what of them lies in an image."""

import numpy as np


def areas(bboxes: np.ndarray) -> np.ndarray:
    """Areas (...) of boxes (..., 4), xyxy."""
    return (bboxes[..., 2] - bboxes[..., 0]) * (bboxes[..., 3] - bboxes[..., 1])


def intersections(bboxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The area that boxes (..., 4) share with others (..., 4), xyxy; shapes are broadcast."""
    width = np.minimum(bboxes[..., 2], others[..., 2]) - np.maximum(bboxes[..., 0], others[..., 0])
    height = np.minimum(bboxes[..., 3], others[..., 3]) - np.maximum(bboxes[..., 1], others[..., 1])
    return np.maximum(width, 0) * np.maximum(height, 0)


def ious(bboxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4) with others (..., 4), xyxy; 0 without an area."""
    shared = intersections(bboxes, others)
    return ratios(shared, areas(bboxes) + areas(others) - shared)


def ratios(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Shares of what may be 0; 0 there."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)


def corners(bboxes: np.ndarray) -> np.ndarray:
    """COCO's boxes ``[x, y, w, h]`` (..., 4) as float xyxy."""
    bboxes = np.asarray(bboxes, float)
    return np.concatenate([bboxes[..., :2], bboxes[..., :2] + bboxes[..., 2:]], axis=-1)


def clip_boxes(bboxes: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Cut boxes at the edge of their image.

    Args:
        bboxes: (N, 4) ``[x, y, w, h]``.
        size: ``(width, height)`` of the image.

    Returns:
        (N, 4); a width or height is 0 or negative where nothing is inside.
    """
    edges = corners(bboxes)
    start, end = np.maximum(edges[:, :2], 0), np.minimum(edges[:, 2:], size)
    return np.concatenate([start, end - start], axis=1)
