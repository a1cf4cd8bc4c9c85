"""Where the digits of a number stand: geometry only, no pixels.

Two coordinate systems. *Plane*: the wall or plate, upright digits, origin in the middle of the
number, unit = one image pixel. *Image*: pixel edges, (0, 0) is the upper left corner of the upper
left pixel, y downwards. `Layout.plane_to_image` is the 3x3 homography between them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdet_digits.boxes import clip_boxes
from mmdet_digits.coco.categories import map_categories
from mmdet_digits.coco.structure import read_coco
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.box_style import BoxStyle
from mmdet_digits.synthetic.parameters import LAYOUT, LayoutParameters


@dataclass(frozen=True)
class Layout:
    """One number in one image.

    Args:
        digits: The number in reading order.
        width: Image width in pixels.
        height: Image height in pixels.
        digit_height: Height of the digits in the plane, in pixels.
        digit_to_plane: (N, 3, 3) homographies from the unit square, (0, 0) upper left and (1, 1)
            lower right corner of the glyph, to the plane.
        plane_to_image: (3, 3) homography.
    """

    digits: str
    width: int
    height: int
    digit_height: float
    digit_to_plane: np.ndarray
    plane_to_image: np.ndarray

    @property
    def plane_extent(self) -> np.ndarray:
        """(4,) x1, y1, x2, y2 around all digits, in the plane."""
        corners = project(self.digit_to_plane, _UNIT_CORNERS).reshape(-1, 2)
        return np.concatenate([corners.min(0), corners.max(0)])

    @property
    def quads(self) -> np.ndarray:
        """(N, 4, 2) corners of the glyph rectangles in the image, clockwise from upper left."""
        return project(self.plane_to_image @ self.digit_to_plane, _UNIT_CORNERS)


_UNIT_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
FAR = 0.2
"""How small the plane may be drawn, against its size at the number; at 0 is the horizon."""


def project(homographies: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply homographies (..., 3, 3) to points (K, 2) or (..., K, 2); returns (..., K, 2)."""
    homogeneous = np.concatenate([points, np.ones_like(points[..., :1])], -1)
    mapped = homogeneous @ np.swapaxes(homographies, -1, -2)
    return mapped[..., :2] / mapped[..., 2:]


def sample_digits(rng: np.random.Generator, params: LayoutParameters = LAYOUT) -> str:
    """Draw a number: its length, then its digits independently, rarely with a leading zero."""
    lengths = np.asarray(params.length_weights)
    length = 1 + rng.choice(len(lengths), p=lengths / lengths.sum())
    weights = np.asarray(params.digit_counts, float) ** params.digit_flattening
    later = weights * np.array([params.later_zero_gain, *[1] * 9])
    digits = rng.choice(10, size=length, p=later / later.sum())
    leading_zero = rng.random() < params.leading_zero_rate
    digits[0] = 0 if leading_zero else 1 + rng.choice(9, p=weights[1:] / weights[1:].sum())
    return ''.join(map(str, digits))


def sample_layout(
    rng: np.random.Generator,
    digits: str,
    glyph_aspects: np.ndarray,
    digit_aspect: float,
    params: LayoutParameters = LAYOUT,
) -> Layout:
    """Place a number and choose the size of its image.

    Args:
        rng: Random generator.
        digits: The number.
        glyph_aspects: (N,) natural width / height of each glyph.
        digit_aspect: Wished width / height of the digits that are no 1.
        params: The distributions.
    """
    height = params.digit_height.sample(rng)
    widths = height * _aspects(digits, np.asarray(glyph_aspects, float), digit_aspect, params)
    stacked = len(digits) > 1 and rng.random() < params.stacked_rate
    slant = params.slant.sample(rng) if not stacked else rng.normal(0, 3)
    kind = slant_kind(rng, slant, params)
    centres = _centres(rng, widths, height, stacked, slant if kind == 2 else 0.0, params)
    digit_to_plane = _digit_homographies(rng, centres, widths, height, params)
    view = view_of_plane(rng, slant, kind, np.ptp(centres[:, 0]) + height, params)
    quads = project(view @ digit_to_plane, _UNIT_CORNERS).reshape(-1, 2)
    image_width, image_height, shrink, shift = _frame(rng, len(digits), quads, params)
    to_image = np.array([[shrink, 0, shift[0]], [0, shrink, shift[1]], [0, 0, 1]]) @ view
    # Keep the plane's unit at one image pixel after shrinking.
    unit = np.diag([shrink, shrink, 1.0])
    return Layout(
        digits,
        image_width,
        image_height,
        height * shrink,
        unit @ digit_to_plane,
        to_image @ np.diag([1 / shrink, 1 / shrink, 1.0]),
    )


def slant_kind(rng: np.random.Generator, slant: float, params: LayoutParameters) -> int:
    """How a slant comes about, as an index of `LayoutParameters.slant_kind_weights`."""
    kind = int(rng.choice(3, p=params.slant_kind_weights))
    return 0 if kind == 2 and abs(slant) < params.steps_from else kind


def _aspects(
    digits: str, natural: np.ndarray, wished: float, params: LayoutParameters
) -> np.ndarray:
    """Stretch all digits of a number by the same factor, so that they keep looking alike."""
    ones = np.array([d == '1' for d in digits])
    typical = natural[~ones].mean() if not ones.all() else natural.mean() / 0.7
    stretched = natural * np.clip(wished / typical, *params.stretch_limits)
    return np.where(ones, np.clip(stretched, *params.one_aspect), stretched)


def _centres(
    rng: np.random.Generator,
    widths: np.ndarray,
    height: float,
    stacked: bool,
    step_degrees: float,
    params: LayoutParameters,
) -> np.ndarray:
    """(N, 2) centres in the plane, around the origin."""
    count = len(widths)
    gaps = height * (params.gap.sample(rng) + rng.normal(0, params.gap_jitter, count))
    centres = np.zeros((count, 2))
    if stacked:
        centres[:, 1] = np.arange(count) * height * 1.12 + gaps - gaps[0]
        centres[:, 0] = rng.normal(0, 0.03, count) * height
    else:
        advance = (widths[1:] + widths[:-1]) / 2 + gaps[1:]
        centres[1:, 0] = np.cumsum(advance)
        centres[:, 1] = centres[:, 0] * math.tan(math.radians(step_degrees))
        centres[:, 1] += rng.normal(0, 0.012, count) * height
    low, high = centres - widths[:, None] / 2, centres + widths[:, None] / 2
    return centres - (low.min(0) + high.max(0)) / 2


def _digit_homographies(
    rng: np.random.Generator,
    centres: np.ndarray,
    widths: np.ndarray,
    height: float,
    params: LayoutParameters,
) -> np.ndarray:
    """(N, 3, 3) from the unit square to the plane, with a little rotation and size of their own."""
    angles = np.radians(rng.normal(0, params.digit_rotation, len(widths)))
    scales = 1 + rng.normal(0, params.digit_scale, len(widths))
    mats = np.zeros((len(widths), 3, 3))
    cos, sin = np.cos(angles) * scales, np.sin(angles) * scales
    mats[:, 0, 0], mats[:, 0, 1] = cos * widths, -sin * height
    mats[:, 1, 0], mats[:, 1, 1] = sin * widths, cos * height
    mats[:, :2, 2] = centres - (mats[:, :2, :2] @ np.array([0.5, 0.5]))
    mats[:, 2, 2] = 1
    return mats


def view_of_plane(
    rng: np.random.Generator, slant: float, kind: int, extent: float, params: LayoutParameters
) -> np.ndarray:
    """Rotation, shear and perspective of the plane; determinant of the linear part about 1."""
    radians = math.radians(slant)
    view = np.eye(3)
    if kind == 0:
        view[1, 0] = math.tan(radians)
    elif kind == 1:
        view[:2, :2] = [
            [math.cos(radians), -math.sin(radians)],
            [math.sin(radians), math.cos(radians)],
        ]
    if rng.random() < params.italic_rate:
        view = view @ np.array(
            [
                [1, math.tan(math.radians(rng.normal(0, params.italic_degrees))), 0],
                [0, 1, 0],
                [0, 0, 1],
            ]
        )
    change = np.clip(rng.normal(0, params.perspective, 2), -0.3, 0.3) * (1, 0.3)
    view[2, :2] = change / extent
    return view


def hold_horizon(view: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weaken the perspective of a view where the horizon would come into the image.

    Args:
        view: (3, 3), from `view_of_plane`.
        corners: (4, 2) of the image, seen from the middle of the number.

    Returns:
        A view that draws the plane at `FAR` of its size or more, anywhere in the image.
    """
    shrinkage = (corners @ np.linalg.inv(view[:2, :2]).T @ view[2, :2]).max()
    held = view.copy()
    held[2, :2] *= min(1.0, (1 - FAR) / max(shrinkage, 1e-9))
    return held


def _frame(
    rng: np.random.Generator, count: int, quads: np.ndarray, params: LayoutParameters
) -> tuple[int, int, float, np.ndarray]:
    """Image width and height, scale of the number, and its shift to its place in the image."""
    low, high = quads.min(0), quads.max(0)
    size = high - low
    height = size[1] / params.number_height_ratio.sample(rng)
    width = height * params.image_aspect[min(count, 4) - 1].sample(rng)
    width = max(width, size[0] / params.number_width_ratio_max, params.image_width[0])
    shrink = min(1.0, params.image_width[1] / width)
    frame = np.array([round(width * shrink), max(round(height * shrink), 8)])
    shrink = min(shrink, *((1 - 2 * params.margin) * frame / size))
    size = size * shrink
    centre = frame * (params.centre_x.sample(rng), params.centre_y.sample(rng))
    room = size / 2 + params.margin * frame
    centre = np.clip(centre, np.minimum(room, frame / 2), np.maximum(frame - room, frame / 2))
    return int(frame[0]), int(frame[1]), float(shrink), centre - shrink * (low + high) / 2


# Layouts taken from a real annotation file: its image sizes, its boxes, its numbers.
#
# A box says how wide and high a digit is and where it stands, but not how it is tilted. The slant
# of the number is read from the line of its digits; whether it is shear, rotation or steps is
# drawn, as above. The glyphs are then given the sizes that fill their boxes.

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
