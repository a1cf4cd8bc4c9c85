"""What the four numbers of the boxes of a file mean, where something proves it."""

from dataclasses import dataclass, replace

import numpy as np

from mmdet_digits.checks.data.table import CocoTable

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
