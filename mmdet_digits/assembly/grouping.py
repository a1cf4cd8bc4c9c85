"""Which digits of an image belong together. Boxes are xyxy in pixels."""

import numpy as np

from mmdet_digits.assembly.padded_boxes import box_heights

NEIGHBOURS = (0.7, -0.4)
"""Digits of one number: at most this far apart in x and in y, in heights of the higher one; below 0
they overlap. Of 39,855 neighbouring digits in SVHN's training set, 0.1 % are further apart in x and
0.5 % in y: upright stacks, which become several numbers."""


def are_near(bboxes: np.ndarray, gap: tuple[float, float]) -> np.ndarray:
    """Which boxes (..., N, 4) are near which: (..., N, N).

    Args:
        bboxes: the boxes.
        gap: how far they may be from each other, in x and in y, in heights of the higher one.
    """
    heights = box_heights(bboxes)
    reach = np.maximum(heights[..., :, None], heights[..., None, :])[..., None] * gap
    low = np.maximum(bboxes[..., :, None, :2], bboxes[..., None, :, :2])
    high = np.minimum(bboxes[..., :, None, 2:], bboxes[..., None, :, 2:])
    return (low - high <= reach).all(-1)


def group_boxes(bboxes: np.ndarray, gap: tuple[float, float]) -> list[list[int]]:
    """Group boxes (N, 4) of which each is near another one of its group.

    Args:
        bboxes: the boxes.
        gap: as for :func:`are_near`.

    Returns:
        The indices of each group, in ascending order.
    """
    near = are_near(bboxes, gap)
    groups, left = [], set(range(len(bboxes)))
    while left:
        group, reached = set(), {min(left)}
        while reached:
            group |= reached
            reached = {int(n) for n in np.flatnonzero(near[list(reached)].any(0))} - group
        groups.append(sorted(group))
        left -= group
    return groups


def in_reading_order(bboxes: np.ndarray) -> list[int]:
    """The indices of boxes (N, 4): row by row from the top, each from left to right.

    A row has what begins above the middle of its highest box.
    """
    order, left = [], np.argsort(bboxes[:, 1], kind='stable').tolist()
    while left:
        middle = bboxes[left[0], [1, 3]].mean()
        row = [n for n in left if bboxes[n, 1] < middle or n == left[0]]
        order += sorted(row, key=lambda n: bboxes[n, 0])
        left = [n for n in left if n not in row]
    return order
