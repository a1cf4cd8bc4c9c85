"""Box geometry on padded blocks: many images at once, each with the same number of slots.

Boxes are xyxy in pixels, ``x2 - x1`` wide and ``y2 - y1`` high (no plus one).
"""

import numpy as np

from mmdet_digits.boxes import areas, intersections, ratios


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
    shared = intersections(bboxes[:, :, None], bboxes[:, None])
    area = areas(bboxes)
    union = area[:, :, None] + area[:, None] - shared
    smaller = np.minimum(area[:, :, None], area[:, None])
    return ratios(shared, union), ratios(shared, smaller)


def pairwise_center_distances(bboxes: np.ndarray) -> np.ndarray:
    """Return the distances in pixels (B, K, K) between the centres of boxes (B, K, 4)."""
    x, y = box_centers(bboxes)
    return np.hypot(x[:, :, None] - x[:, None], y[:, :, None] - y[:, None])
