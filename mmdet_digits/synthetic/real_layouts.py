"""Layouts taken from a real annotation file: its image sizes, its boxes, its numbers.

A box says how wide and high a digit is and where it stands, but not how it is tilted. The slant of
the number is read from the line of its digits; whether it is shear, rotation or steps is drawn, as
in `layouts`. The glyphs are then given the sizes that fill their boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdet_digits.boxes import clip_boxes
from mmdet_digits.coco.categories import map_categories
from mmdet_digits.coco.structure import read_coco
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.box_style import BoxStyle
from mmdet_digits.synthetic.layouts import (
    Layout,
    hold_horizon,
    project,
    slant_kind,
    view_of_plane,
)
from mmdet_digits.synthetic.parameters import LAYOUT, LayoutParameters

LEAST = np.array([2, 6])  # px, width and height of a digit; smaller ones cannot be drawn
NARROWEST = 0.12  # least width of a digit / its height
RESIZE = (0.85, 1.18)  # so that a small file does not give the same sizes again and again
LEANING = 0.6  # most of a box's width or height that a tilt may take


@dataclass(frozen=True)
class Place:
    """A number in an image, as it was annotated.

    Args:
        digits: The number in reading order.
        size: Width and height of the image in pixels.
        boxes: (N, 4) x, y, w, h in pixels, in reading order.
    """

    digits: str
    size: tuple[int, int]
    boxes: np.ndarray

    @property
    def digit_aspect(self) -> float:
        """Width / height of the digits that are no 1, or what a 1 suggests of it."""
        shapes = self.boxes[:, 2] / self.boxes[:, 3]
        wide = [shape for shape, digit in zip(shapes, self.digits, strict=True) if digit != '1']
        return float(np.median(wide)) if wide else float(np.median(shapes)) / 0.7

    @property
    def least_scale(self) -> float:
        """What brings the smallest digit down to the size that can still be drawn."""
        return float((LEAST / self.boxes[:, 2:]).max())


class RealLayouts:
    """What `read_layouts` found, to draw from.

    Args:
        places: At least one.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = places

    def sample(self, rng: np.random.Generator, params: LayoutParameters = LAYOUT) -> Place:
        """Draw a place, a little larger or smaller than it was."""
        place = self.places[rng.integers(len(self.places))]
        low = max(min(params.image_width[0] / place.size[0], 1.0), place.least_scale)
        high = params.image_width[1] / place.size[0]
        scale = float(np.clip(rng.uniform(*RESIZE), low, high))
        size = tuple(max(round(side * scale), 8) for side in place.size)
        return Place(place.digits, size, place.boxes * np.tile(np.divide(size, place.size), 2))


def read_layouts(path: Path | str, style: BoxStyle | None = None) -> tuple[RealLayouts, list[str]]:
    """Read the layouts of a COCO file, gzipped or not.

    Args:
        path: The file.
        style: How its boxes lie around the digits; None: they touch them.

    Returns:
        The layouts, and what is to be told about those left out.

    Raises:
        InputError: It is not a COCO file of digits, or nothing in it can be drawn.
    """
    notes = []
    coco = read_coco(path, say=notes.append)
    digit_of = {i: digit for digit, i in enumerate(map_categories(coco['categories'], str(path)))}
    of_image = {image['id']: [] for image in coco['images']}
    for box in coco['annotations']:
        if not box.get('iscrowd') and not box.get('ignore'):
            of_image[box['image_id']].append((digit_of[box['category_id']], *box['bbox']))
    numbers = [(image, of_image[image['id']]) for image in coco['images'] if of_image[image['id']]]
    found = [_place(image, boxes, style) for image, boxes in numbers]
    places = [place for place in found if place]
    if not places:
        raise InputError(
            f'{path}: no number whose layout could be drawn.',
            f'{len(numbers):,} of {len(coco["images"]):,} images have boxes, none of them large '
            'enough',
            f'digits of {LEAST[0]} x {LEAST[1]} px or more',
            'give the annotation file of a set with boxes around its digits',
        )
    left_out = len(numbers) - len(places)
    if left_out:
        total = f'{left_out:,} of {len(numbers):,} numbers'
        notes.append(f'{path}: {total} are left out, too small to draw.')
    return RealLayouts(places), notes


def _place(image: dict, rows: list[tuple], style: BoxStyle | None) -> Place | None:
    """The number of an image, or None if it, or the image reduced for it, cannot be drawn."""
    rows = np.array(rows, float)
    boxes = style.remove(rows[:, 1:]) if style else rows[:, 1:]
    size = int(image['width']), int(image['height'])
    boxes = clip_boxes(_widened(boxes), size)
    reduction = min(LAYOUT.image_width[1] / size[0], 1.0)
    if (boxes[:, 2:] * reduction < LEAST).any():
        return None
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    spread = np.ptp(centres, axis=0)
    order = np.argsort(boxes[:, int(spread[1] > spread[0])], kind='stable')
    return Place(''.join(str(int(digit)) for digit in rows[order, 0]), size, boxes[order])


def _widened(boxes: np.ndarray) -> np.ndarray:
    """Give boxes the least width, around their middle: those of a 1 hardly hold its margins."""
    lacking = (NARROWEST * boxes[:, 3] - boxes[:, 2]).clip(min=0)
    return boxes + lacking[:, None] * (-0.5, 0, 1, 0)


def fill_place(
    rng: np.random.Generator,
    place: Place,
    glyph_aspects: np.ndarray,
    params: LayoutParameters = LAYOUT,
) -> Layout:
    """Place glyphs so that they fill the boxes of a place.

    Args:
        rng: Random generator.
        place: Where.
        glyph_aspects: (N,) natural width / height of each glyph: how far it may be stretched.
        params: The distributions.
    """
    centres = place.boxes[:, :2] + place.boxes[:, 2:] / 2
    middle = (centres.min(0) + centres.max(0)) / 2
    height = float(np.median(place.boxes[:, 3]))
    slant = _slant(rng, centres, params)
    kind = slant_kind(rng, slant, params)
    extent = np.ptp(centres[:, 0]) + height
    edges = np.multiply([[0, 0], [1, 0], [1, 1], [0, 1]], place.size) - middle
    view = hold_horizon(view_of_plane(rng, slant, kind, extent, params), edges)
    to_image = np.array([[1, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1]]) @ view
    in_plane = project(np.linalg.inv(to_image), centres)
    sizes = np.array(
        [
            _glyph_size(_jacobian(to_image, at), box)
            for at, box in zip(in_plane, place.boxes[:, 2:], strict=True)
        ]
    )
    low, high = np.outer(params.stretch_limits, glyph_aspects) * sizes[:, 1]
    sizes[:, 0] = np.clip(sizes[:, 0], low, high)
    digit_to_plane = np.zeros((len(sizes), 3, 3))
    digit_to_plane[:, [0, 1], [0, 1]] = sizes
    digit_to_plane[:, :2, 2] = in_plane - sizes / 2
    digit_to_plane[:, 2, 2] = 1
    digit_height = float(np.median(sizes[:, 1]))
    return Layout(place.digits, *place.size, digit_height, digit_to_plane, to_image)


def _slant(rng: np.random.Generator, centres: np.ndarray, params: LayoutParameters) -> float:
    """Degrees of the line of centres; drawn for a single digit, upright for stacked ones."""
    if len(centres) == 1:
        return params.slant.sample(rng)
    dx, dy = centres[-1] - centres[0]
    return float(np.degrees(np.arctan2(dy, dx))) if abs(dy) <= abs(dx) else rng.normal(0, 3)


def _jacobian(homography: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(2, 2) derivative of a homography at a point (2,)."""
    x, y, w = homography @ (*point, 1)
    rows = homography[:2, :2] - np.outer((x / w, y / w), homography[2, :2])
    return rows / w


def _glyph_size(linear: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Width and height of a rectangle that a linear map puts into a box of this width and height.

    A tilt that would leave nothing of the box is followed as far as `LEANING` allows.
    """
    (wide, lean_x), (lean_y, high) = np.abs(linear)
    width = box[0] / wide
    height = box[1] / high
    lean_x = min(lean_x, LEANING * width / height * wide)
    lean_y = min(lean_y, LEANING * height / width * high)
    return np.linalg.solve([[wide, lean_x], [lean_y, high]], box)
