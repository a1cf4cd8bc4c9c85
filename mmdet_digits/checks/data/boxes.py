"""Checks of the boxes: their size, their place in the image, and what is hardly a digit."""

from dataclasses import dataclass, replace

import numpy as np

from mmdet_digits.boxes import corners, ious
from mmdet_digits.checks.data.structure import REPAIR, CocoTable, report
from mmdet_digits.checks.finding import Check, Status

# What the four numbers of the boxes of a file mean, where something proves it.

FORMS = {
    'x, y, width, height': lambda boxes: boxes,
    'x1, y1, x2, y2': lambda boxes: np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]),
    'centre x, centre y, width, height': lambda boxes: np.hstack(
        [boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]]
    ),
}
OWN, CORNERS, _ = FORMS
LEAST = 4  # boxes; of fewer, an edge proves nothing
ALL = 0.99  # share of the boxes that have to fit a form
MOST = 0.75  # so many do not fit by chance what they are not meant as
EDGE = 1.0  # px; what a box may be beyond the edge of its image
DECIMALS = 3


@dataclass(frozen=True)
class BoxForm:
    """What the boxes of a file are, other than COCO's x, y, width and height in pixels.

    Args:
        names: the names of the forms that they may have; one where it is proved.
        fractions: whether they are fractions of the sides of the image.
        proof: how that is known.
    """

    names: tuple[str, ...]
    fractions: bool
    proof: str

    def __str__(self) -> str:
        unit = 'fractions of the image' if self.fractions else 'pixels'
        return f'{" or ".join(self.names) or "numbers of no known form"} in {unit}'

    def convert(self, boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Convert boxes (N, 4) in images of these sizes (N, 2) to COCO's form."""
        if len(self.names) != 1:
            return boxes
        scale = np.tile(sizes, 2) if self.fractions else 1
        return FORMS[self.names[0]](boxes * scale).round(DECIMALS)


def find_form(table: CocoTable) -> BoxForm | None:
    """Find out what the boxes of a file are; None where they are what COCO has."""
    known = (table.ann_sizes > 0).all(axis=1)
    boxes, sizes, areas = table.bboxes[known], table.ann_sizes[known], table.areas[known]
    if not len(boxes):
        return None
    if (np.abs(boxes) <= 1).all() and (boxes % 1 > 0).any():
        fits = _fits(boxes * np.tile(sizes, 2), sizes)
        names = tuple(name for name, share in fits.items() if share >= ALL)
        return BoxForm(names, True, f'none of the numbers of {len(boxes):,} boxes is above 1')
    by_corners, own = (_share(boxes, areas, form) for form in (CORNERS, OWN))
    if by_corners >= ALL and own < MOST:
        share = f'{round(by_corners * len(boxes)):,} of {len(boxes):,}'
        return BoxForm((CORNERS,), False, f'{share} areas are (x2 - x1) x (y2 - y1)')
    fits = _fits(boxes, sizes)
    if len(boxes) < LEAST or fits[OWN] >= MOST or fits[CORNERS] < ALL:
        return None
    if table.areas_given and own >= MOST:  # then it is the sizes of the images that are wrong
        return None
    proof = f'read as {OWN}, {1 - fits[OWN]:.0%} of the boxes leave the image'
    return BoxForm((CORNERS,), False, proof)


def converted(table: CocoTable, form: BoxForm) -> CocoTable:
    """The table with its boxes in COCO's form, and their areas."""
    boxes = form.convert(table.bboxes, table.ann_sizes)
    return replace(table, bboxes=boxes, areas=boxes[:, 2:].prod(axis=1))


def _share(boxes: np.ndarray, areas: np.ndarray, form: str) -> float:
    """The share of the areas that are those of the boxes in a form."""
    w, h = FORMS[form](boxes)[:, 2:].T
    near = np.abs(areas - w * h) <= np.maximum(0.01 * w * h, 0.01)
    return float((near & (w > 0) & (h > 0)).mean())


def _fits(boxes: np.ndarray, sizes: np.ndarray) -> dict[str, float]:
    """The share of the boxes that have a size and lie in their image, by form."""
    shares = {}
    for name, form in FORMS.items():
        found = form(boxes)
        inside = (found[:, :2] >= -EDGE) & (found[:, :2] + found[:, 2:] <= sizes + EDGE)
        shares[name] = float((inside & (found[:, 2:] > 0)).all(axis=1).mean())
    return shares


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


# Checks for boxes that stand twice: the same digit again, or one place with two labels.

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
