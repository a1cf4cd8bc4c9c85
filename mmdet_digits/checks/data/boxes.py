"""Checks of the boxes: their size, their place in the image, and what is hardly a digit."""

import numpy as np

from mmdet_digits.checks.data.box_form import OWN, converted, find_form
from mmdet_digits.checks.data.cases import REPAIR, report
from mmdet_digits.checks.data.table import CocoTable
from mmdet_digits.checks.finding import Check, Status

# What hardly any digit is. Of the 73,257 boxes of SVHN's training set 12 are outside ASPECT, none
# covers more than half of its image, and one is more than twice as high as its neighbours.
ASPECT = (0.1, 2.0)  # width / height
LARGEST_SHARE = 0.9  # of the image's area
TALLEST = 2.0  # height, in median heights of the image's boxes
ROUNDING = 0.01  # px; what a box from a file of fractions may be beyond the edge


def check_boxes(table: CocoTable) -> list[Check]:
    """Every check of this module; those that follow the first take the boxes for what they are."""
    form, table = form_of_boxes(table)
    return [
        form,
        boxes_without_size(table),
        boxes_under_one_pixel(table),
        boxes_outside(table),
        boxes_partly_outside(table),
        areas(table),
        left_out_boxes(table),
        odd_shapes(table),
        large_shares(table),
        tall_boxes(table),
    ]


def form_of_boxes(table: CocoTable) -> tuple[Check, CocoTable]:
    """Whether boxes are x, y, width and height in pixels; and the table with boxes that are."""
    name, form = 'form of the boxes', find_form(table)
    if form is None:
        return Check(name, Status.OK, f'{OWN} in pixels'), table
    fix, repair = f'convert them to {OWN} in pixels', f'{REPAIR} does so'
    if len(form.names) != 1:
        repair = 'only you can tell which they are'
    found = f'{len(table.bboxes):,} boxes are {form}: {form.proof}'
    check = Check(name, Status.FAIL, found, f'{OWN} in pixels', f'{fix}; {repair}')
    return check, converted(table, form)


def boxes_without_size(table: CocoTable) -> Check:
    """Boxes of zero or negative width or height."""
    return _report(
        'boxes without size',
        table,
        (table.bboxes[:, 2:] <= 0).any(axis=1),
        'width and height above 0 in [x, y, w, h]; these boxes are not loaded',
        'correct or remove them (are they corners, [x1, y1, x2, y2]?)',
        repair='removes them',
    )


def boxes_under_one_pixel(table: CocoTable) -> Check:
    """Boxes that have a size, but one that mmdet leaves out."""
    sides = table.bboxes[:, 2:]
    return _report(
        'boxes under 1 px',
        table,
        (sides > 0).all(axis=1) & (sides < 1).any(axis=1),
        'at least 1 px wide and high; these boxes are not loaded',
        'correct or remove them (are they fractions of the image?)',
        repair='removes them',
    )


def boxes_outside(table: CocoTable) -> Check:
    """Boxes that share no pixel with their image."""
    return _report(
        'boxes outside the image',
        table,
        _measurable(table) & _outside(table),
        'boxes inside 0, 0, width, height; these boxes are not loaded',
        'correct them, or width and height of the image',
        repair='removes them',
    )


def boxes_partly_outside(table: CocoTable) -> Check:
    """Boxes that cross an edge of their image."""
    upper_left, lower_right = _corners(table)
    over = (upper_left < -ROUNDING).any(axis=1)
    over |= (lower_right > table.ann_sizes + ROUNDING).any(axis=1)
    return _report(
        'boxes partly outside the image',
        table,
        _measurable(table) & over & ~_outside(table),
        'boxes inside 0, 0, width, height; the part outside is cut off in training',
        'cut them at the edge, or accept it',
        Status.WARN,
        repair='cuts them',
    )


def areas(table: CocoTable) -> Check:
    """Areas that are not those of the boxes: COCO's evaluation goes by them."""
    size = np.maximum(table.bboxes[:, 2], 0) * np.maximum(table.bboxes[:, 3], 0)
    gone = table.areas <= 0
    off = np.abs(table.areas - size) > np.maximum(0.01 * size, 1)
    rows = np.flatnonzero((gone | off) & (size > 0))
    cases = [
        f'{where}: area {area:g}, w x h {w_h:g}'
        for where, area, w_h in zip(
            table.annotations(rows), table.areas[rows], size[rows], strict=True
        )
    ]
    return report(
        'areas',
        cases,
        'width x height: it puts a box into a size range of COCO evaluation, which leaves out '
        'those below 0; other tools do not load a box of area 0',
        'write w x h of bbox into area',
        Status.FAIL if gone[rows].any() else Status.WARN,
        repair='does so',
    )


def left_out_boxes(table: CocoTable) -> Check:
    """Boxes marked as crowd or to be ignored, which nothing learns from."""
    return _report(
        'boxes marked iscrowd or ignore',
        table,
        table.crowd | table.ignored,
        'iscrowd 0 and no ignore on a digit that is to be learnt and counted',
        'set iscrowd to 0 and remove ignore, or accept it',
        Status.WARN,
    )


def odd_shapes(table: CocoTable) -> Check:
    """Boxes too narrow or too wide for one digit."""
    low, high = ASPECT
    w, h = table.bboxes[:, 2:].T
    return _report(
        'boxes of an odd shape',
        table,
        _measurable(table) & ((w < low * h) | (w > high * h)),
        f'width / height of a digit: {low:g} to {high:g}',
        'look at them: a whole number in one box, or a slip of the hand?',
        Status.WARN,
    )


def large_shares(table: CocoTable) -> Check:
    """Boxes that are nearly the whole image."""
    upper_left, lower_right = _corners(table)
    sides = np.minimum(lower_right, table.ann_sizes) - np.maximum(upper_left, 0)
    measurable = _measurable(table)
    share = sides.clip(0).prod(axis=1) / np.where(measurable, table.ann_sizes.prod(axis=1), 1)
    return _report(
        'boxes as large as the image',
        table,
        measurable & (share > LARGEST_SHARE),
        f'at most {LARGEST_SHARE:.0%} of the image',
        'look at them: is it the box of the image instead of that of the digit?',
        Status.WARN,
    )


def tall_boxes(table: CocoTable) -> Check:
    """Boxes far higher than the other digits of their image."""
    order = np.lexsort((table.bboxes[:, 3], table.ann_image_ids))
    _, first, inverse, counts = np.unique(
        table.ann_image_ids[order], return_index=True, return_inverse=True, return_counts=True
    )
    heights = table.bboxes[order, 3]
    median = heights[first + (counts - 1) // 2][inverse.ravel()]
    tall = np.zeros(len(order), dtype=bool)
    tall[order] = (heights > TALLEST * median) & (median > 0)
    return _report(
        'boxes far taller than their neighbours',
        table,
        tall,
        f'at most {TALLEST:g} times the median height of the digits in the image',
        'look at them: a box around the whole number, or a digit of another sign?',
        Status.WARN,
    )


def _measurable(table: CocoTable) -> np.ndarray:
    """Which boxes and images have a size (N,)."""
    return (table.bboxes[:, 2:] > 0).all(axis=1) & (table.ann_sizes > 0).all(axis=1)


def _corners(table: CocoTable) -> tuple[np.ndarray, np.ndarray]:
    """The upper left and the lower right corners (N, 2)."""
    return table.bboxes[:, :2], table.bboxes[:, :2] + table.bboxes[:, 2:]


def _outside(table: CocoTable) -> np.ndarray:
    upper_left, lower_right = _corners(table)
    return (lower_right <= 0).any(axis=1) | (upper_left >= table.ann_sizes).any(axis=1)


def _report(
    name: str,
    table: CocoTable,
    rows: np.ndarray,
    expected: str,
    fix: str,
    status: Status = Status.FAIL,
    repair: str = '',
) -> Check:
    """The check of the boxes in ``rows``, a mask, each shown with its bbox and its image's size."""
    rows = np.flatnonzero(rows)
    cases = [
        f'{where}: bbox {" ".join(f"{side:.6g}" for side in bbox)} in {width} x {height}'
        for where, bbox, (width, height) in zip(
            table.annotations(rows), table.bboxes[rows], table.ann_sizes[rows], strict=True
        )
    ]
    return report(name, cases, expected, fix, status, repair=repair)
