"""Checks for boxes that stand twice: the same digit again, or one place with two labels."""

import numpy as np

from mmdet_digits.boxes import corners, ious
from mmdet_digits.checks.data.cases import report
from mmdet_digits.checks.data.table import CocoTable
from mmdet_digits.checks.finding import Check, Status

SAME_PLACE = 0.9  # IoU
COMPARED = 20  # boxes that follow a box from left to right; keeps a pile of thousands bounded


def check_duplicates(table: CocoTable) -> list[Check]:
    """Every check of this module."""
    order, again = left_to_right(table)
    pairs = overlapping_pairs(table, order[~again])
    return [duplicate_boxes(table, np.sort(order[again])), conflicting_boxes(table, pairs)]


def left_to_right(table: CocoTable) -> tuple[np.ndarray, np.ndarray]:
    """Sort the boxes of each image by their left edges.

    Returns:
        The rows in this order (N,), and which of them repeat the one before: image, category and
        bbox are the same (N,).
    """
    keys = np.column_stack([table.category_ids, table.bboxes[:, ::-1], table.ann_image_ids])
    order = np.lexsort(keys.T)
    again = np.zeros(len(order), dtype=bool)
    again[1:] = (keys[order][1:] == keys[order][:-1]).all(axis=1)
    return order, again


def duplicate_boxes(table: CocoTable, rows: np.ndarray) -> Check:
    """The same box with the same category again in one image, at ``rows``."""
    return report(
        'duplicate boxes',
        table.annotations(rows),
        'each digit once; twice, it is read as two digits',
        'remove the repeated annotations',
        repair='does so',
    )


def conflicting_boxes(table: CocoTable, pairs: np.ndarray) -> Check:
    """Nearly the same place under two labels, or nearly the same box twice, at ``pairs`` (P, 2)."""
    names = {category['id']: category['name'] for category in table.categories}
    labels = [[names.get(i, f'id {i}') for i in table.category_ids[rows]] for rows in pairs.T]
    cases = [
        f'{where} is {second}, where annotation {table.ann_ids[row]} is {first}'
        for where, row, first, second in zip(
            table.annotations(pairs[:, 1]), pairs[:, 0], *labels, strict=True
        )
    ]
    return report(
        'one place, two boxes',
        cases,
        f'one box per digit; boxes with IoU over {SAME_PLACE:g} are one digit',
        'look at the image and remove the wrong one',
        Status.WARN,
    )


def overlapping_pairs(table: CocoTable, rows: np.ndarray) -> np.ndarray:
    """Find the boxes of one image with IoU over ``SAME_PLACE``.

    Args:
        table: the COCO file.
        rows: rows to compare, from left to right within each image.

    Returns:
        Two rows per pair, the smaller first (P, 2).
    """
    rows = rows[(table.bboxes[rows, 2:] >= 1).all(axis=1)]  # others are not loaded
    images, boxes = table.ann_image_ids[rows], table.bboxes[rows]
    edges = corners(boxes)
    pairs = [np.zeros((0, 2), dtype=int)]
    for step in range(1, min(COMPARED, len(rows) - 1) + 1):
        near = (images[step:] == images[:-step]) & (
            boxes[step:, 0] - boxes[:-step, 0] <= (1 - SAME_PLACE) * boxes[:-step, 2]
        )
        if not near.any():  # those further to the right are further away
            break
        first = np.flatnonzero(near)
        same = ious(edges[first], edges[first + step]) > SAME_PLACE
        pairs.append(np.stack([first, first + step], axis=1)[same])
    found = np.sort(rows[np.concatenate(pairs)], axis=1)
    return found[np.argsort(found[:, 1], kind='stable')]
