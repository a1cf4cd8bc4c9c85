"""Box geometry on padded blocks: many images at once, each with the same number of slots.

Boxes are xyxy in pixels, ``x2 - x1`` wide and ``y2 - y1`` high (no plus one).
"""

import numpy as np


def box_heights(bboxes: np.ndarray) -> np.ndarray:
    """Return the heights of boxes (..., 4) in pixels."""
    return bboxes[..., 3] - bboxes[..., 1]


def box_centers(bboxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the x and the y of the centres of boxes (..., 4) in pixels."""
    return (bboxes[..., 0] + bboxes[..., 2]) / 2, (bboxes[..., 1] + bboxes[..., 3]) / 2


def pairwise_overlaps(bboxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare every box of an image with every other box of that image.

    Args:
        bboxes: Boxes (B, K, 4), xyxy in pixels.

    Returns:
        Intersection over union (B, K, K), and containment (B, K, K): the intersection over the
        smaller of the two areas, 1 where one box lies inside the other. Both are 0 for boxes
        without an area.
    """
    x1, y1, x2, y2 = np.moveaxis(bboxes, -1, 0)
    width = np.minimum(x2[:, :, None], x2[:, None]) - np.maximum(x1[:, :, None], x1[:, None])
    height = np.minimum(y2[:, :, None], y2[:, None]) - np.maximum(y1[:, :, None], y1[:, None])
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    area = (x2 - x1) * (y2 - y1)
    union = area[:, :, None] + area[:, None] - intersection
    smaller = np.minimum(area[:, :, None], area[:, None])
    return _ratio(intersection, union), _ratio(intersection, smaller)


def pairwise_center_distances(bboxes: np.ndarray) -> np.ndarray:
    """Return the distances in pixels (B, K, K) between the centres of boxes (B, K, 4)."""
    x, y = box_centers(bboxes)
    return np.hypot(x[:, :, None] - x[:, None], y[:, :, None] - y[:, None])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
