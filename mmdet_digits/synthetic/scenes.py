"""One labelled image: a number on a wall, as a camera sees it."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmdet_digits.boxes import clip_boxes
from mmdet_digits.synthetic.glyphs import change_weight, sample_number_glyphs
from mmdet_digits.synthetic.layouts import (
    FAR,
    Layout,
    fill_place,
    project,
    sample_digits,
    sample_layout,
)
from mmdet_digits.synthetic.parameters import DEGRADATION, DegradationParameters, StyleParameters
from mmdet_digits.synthetic.sources import Supplies, look_without
from mmdet_digits.synthetic.surroundings import (
    bgr,
    blend,
    draw_plates,
    draw_surroundings,
    draw_wall,
    light,
    sample_plates,
    smooth_noise,
)

# From a drawn scene to a photograph: tone, blur, noise, compression.
#
# Images are (H, W, 3) float32 BGR with nominal range 0..255, and are returned anew.


def adjust_tone(
    image: np.ndarray,
    rng: np.random.Generator,
    ink: float,
    ground: float,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Give the image a drawn mean level, contrast of the number, saturation and colour cast.

    Args:
        image: The scene.
        rng: Random generator.
        ink: Mean grey level of the digits in ``image``.
        ground: Mean grey level of the ground around them.
        params: The distributions.
    """
    scale = params.contrast.sample(rng) / max(abs(ink - ground), 1.0)
    scale = float(np.clip(scale, *params.contrast_scale))
    mean = float(np.mean(cv2.mean(image)[:3]))
    saturation = min(rng.uniform(*params.saturation), params.saturation_limit / scale)
    gain = scale * (1 + rng.normal(0, params.cast, 3))
    level = params.mean_level.sample(rng)
    # The number must not be clipped away: both its levels stay within 4..251.
    low, high = sorted((scale * (ink - mean), scale * (ground - mean)))
    level = float(np.clip(level, min(4 - low, 127), max(251 - high, 128)))
    mix = (1 - saturation) / 3 + saturation * np.eye(3)  # towards grey or away from it
    mix = gain[:, None] * mix
    offset = level - mix.sum(1, keepdims=True) * mean + params.tint * rng.normal(0, 1, (3, 1))
    return cv2.transform(image, np.concatenate([mix, offset], 1).astype(np.float32))


def blur(
    image: np.ndarray,
    rng: np.random.Generator,
    size: float,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Soften as by enlargement from few pixels, by the lens, and rarely by motion.

    Args:
        image: The scene.
        rng: Random generator.
        size: Digit height in pixels of ``image``.
        params: The distributions.
    """
    height, width = image.shape[:2]
    ratio = params.effective_height.sample(rng) / size
    if ratio < 0.9:
        small = (max(4, round(width * ratio)), max(4, round(height * ratio)))
        shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        enlarge = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
        image = cv2.resize(shrunk, (width, height), interpolation=enlarge)
    sigma = params.blur.sample(rng) * size
    if sigma > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < params.motion_rate:
        length = rng.uniform(*params.motion_length) * size
        image = cv2.filter2D(image, -1, _motion_kernel(length, rng.uniform(0, np.pi)))
    return image


def _motion_kernel(length: float, angle: float) -> np.ndarray:
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = (side - 1) / 2
    start, stop = (np.round((middle + s * reach) * 16).astype(int) for s in (-1, 1))
    cv2.line(kernel, tuple(start), tuple(stop), 1.0, 1, cv2.LINE_8, 4)
    return kernel / kernel.sum()


def add_noise(
    image: np.ndarray,
    rng: np.random.Generator,
    size: float,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Sensor noise, often smoothed as after enlargement, and blotches of colour.

    Args:
        image: The scene.
        rng: Random generator.
        size: Digit height in pixels.
        params: The distributions.
    """
    height, width = image.shape[:2]
    noise = rng.standard_normal((height, width, 3), np.float32)
    noise = cv2.transform(noise, np.float32(rng.uniform(*params.noise)) * _NOISE_MIX)
    if rng.random() < 0.6:
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 1.0)) * np.float32(1.6)
    cell = max(2.0, rng.uniform(0.06, 0.25) * size)
    small = (max(2, int(height / cell) + 2), max(2, int(width / cell) + 2), 3)
    colour = rng.standard_normal(small, np.float32) * np.float32(rng.uniform(*params.colour_noise))
    colour -= colour.mean(2, keepdims=True)
    return image + noise + cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR)


_NOISE_MIX = np.float32(
    [[0.85, 0.4, 0.4], [0.4, 0.85, 0.4], [0.4, 0.4, 0.85]]
)  # channels correlate


def compress(
    image: np.ndarray,
    rng: np.random.Generator,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Round to uint8 and, mostly, pass through JPEG."""
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if rng.random() >= params.jpeg_rate:
        return image
    quality = int(rng.integers(*params.jpeg_quality, endpoint=True))
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


BOX_THRESHOLD = 0.5
"""A pixel belongs to a digit where the digit covers at least this share of its fullest pixel."""


@dataclass(frozen=True)
class Scene:
    """An image and what it says.

    Args:
        image: (H, W, 3) uint8, BGR.
        digits: The number in reading order (left to right, or top to bottom when stacked).
        bboxes: (N, 4) float64 x, y, w, h in pixels: COCO's convention, the upper left corner of
            the image is (0, 0) and pixel i covers i..i+1. Tight around the drawn digit before
            blur and noise, to half a pixel for digits below 40 px and to a pixel above; or as the
            box style has them, cut at the edges of the image. At least a pixel wide and high.
        family: Where the glyphs come from, see `StyleParameters.family_weights`.
    """

    image: np.ndarray
    digits: str
    bboxes: np.ndarray
    family: str


def draw_scene(
    rng: np.random.Generator, supplies: Supplies, digits: str | None = None, look: str = 'street'
) -> Scene:
    """Draw one scene; every random choice comes from ``rng``.

    Args:
        rng: Random generator.
        supplies: From `load_supplies`.
        digits: The number to show, laid out freely; drawn when None.
        look: One of ``LOOKS``.
    """
    params = look_without(look, supplies.without)
    place = supplies.layouts.sample(rng) if supplies.layouts and digits is None else None
    if place:
        digits, aspect = place.digits, place.digit_aspect
    else:
        digits = sample_digits(rng, params.layout) if digits is None else digits
        aspect = params.layout.digit_aspect.sample(rng)
    family, shapes = sample_number_glyphs(rng, supplies.glyphs, digits, aspect, params.style)
    amount = int(rng.integers(-1, 5)) if family != 'handwriting' else int(rng.integers(-3, 2))
    shapes = [change_weight(shape, amount) for shape in shapes]
    aspects = np.array([shape.shape[1] / shape.shape[0] for shape in shapes])
    if place:
        layout = fill_place(rng, place, aspects, params.layout)
    else:
        layout = sample_layout(rng, digits, aspects, aspect, params.layout)
    scale = 2 if layout.digit_height < 40 else 1  # small digits are drawn at twice the size
    image, masks = _draw(rng, layout, shapes, supplies, scale, params.style)
    bboxes = tight_boxes(masks) / scale
    if supplies.box_style:
        bboxes = clip_boxes(supplies.box_style.apply(bboxes), (layout.width, layout.height))
    bboxes = _at_least_a_pixel(bboxes, layout)
    image = _photograph(rng, image, masks.max(0), layout, scale, params.degradation)
    return Scene(image, digits, bboxes, family)


def tight_boxes(masks: np.ndarray) -> np.ndarray:
    """(N, 4) x, y, w, h around the pixels of (N, H, W) coverage, see `BOX_THRESHOLD`."""
    boxes = [cv2.boundingRect((m >= BOX_THRESHOLD * m.max()).view(np.uint8)) for m in masks]
    return np.array(boxes, float).reshape(-1, 4)


def _at_least_a_pixel(bboxes: np.ndarray, layout: Layout) -> np.ndarray:
    """Widen thinner boxes around their middle: data sets drop those, but the digit is there."""
    sides = bboxes[:, 2:].clip(min=1)
    corners = bboxes[:, :2] - (sides - bboxes[:, 2:]) / 2
    corners = np.clip(corners, 0, (layout.width, layout.height) - sides)
    return np.concatenate([corners, sides], axis=1)


def digit_masks(layout: Layout, shapes: list[np.ndarray], scale: int) -> np.ndarray:
    """Project the glyphs into the image.

    Args:
        layout: Where they stand.
        shapes: Their coverage, any size.
        scale: Pixels drawn per image pixel and side.

    Returns:
        (N, scale * H, scale * W) float32 coverage, 0..1.
    """
    size = (layout.width * scale, layout.height * scale)
    masks = np.zeros((len(shapes), size[1], size[0]), np.float32)
    low = np.clip(np.floor(layout.quads.min(1) * scale) - 2, 0, size).astype(int)
    high = np.clip(np.ceil(layout.quads.max(1) * scale) + 2, 0, size).astype(int)
    parts = np.concatenate([low, high - low], 1).tolist()  # x, y, w, h: where each digit lies
    spans = np.ptp(layout.quads, axis=1) * scale
    to_pixels = np.array([[scale, 0, -0.5], [0, scale, -0.5], [0, 0, 1]])
    for mask, shape, matrix, span, part in zip(
        masks, shapes, layout.digit_to_plane, spans, parts, strict=True
    ):
        # Shrink to the final size first, or the projection would skip pixels of the glyph.
        width = min(max(round(span[0]), 2), shape.shape[1])
        height = min(max(round(span[1]), 2), shape.shape[0])
        small = cv2.resize(shape, (width, height), interpolation=cv2.INTER_AREA)
        small = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        unit = np.array([[1 / width, 0, -0.5 / width], [0, 1 / height, -0.5 / height], [0, 0, 1]])
        full = to_pixels @ layout.plane_to_image @ matrix @ unit
        x, y, w, h = part
        move = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]])
        warped = cv2.warpPerspective(small, move @ full, (w, h), flags=cv2.INTER_LINEAR)
        np.multiply(warped, np.float32(1 / 255), out=mask[y : y + h, x : x + w])
    return masks


def plane_grid(layout: Layout, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Plane coordinates u, v, each (scale * H, scale * W) float32, of the drawn pixels' centres."""
    inverse = np.linalg.inv(layout.plane_to_image).astype(np.float32)
    x = ((np.arange(layout.width * scale, dtype=np.float32) + 0.5) / scale)[None]
    y = ((np.arange(layout.height * scale, dtype=np.float32) + 0.5) / scale)[:, None]
    u, v, w = (row[0] * x + (row[1] * y + row[2]) for row in inverse)
    # w is 1 at the number. A far corner, rarely the middle (the median), may be past the horizon.
    w = np.maximum(w, max(FAR * np.float32(np.median(w)), FAR**2))
    return u / w, v / w


def _draw(
    rng: np.random.Generator,
    layout: Layout,
    shapes: list[np.ndarray],
    supplies: Supplies,
    scale: int,
    style: StyleParameters,
) -> tuple[np.ndarray, np.ndarray]:
    """The scene without camera, (3, H, W) float32, and the digits' coverage (N, H, W)."""
    u, v = plane_grid(layout, scale)
    size = layout.digit_height
    masks = digit_masks(layout, shapes, scale)
    if supplies.photos:
        image = supplies.photos.crop(rng, layout.width * scale, layout.height * scale)
    else:
        image = draw_wall(rng, u, v, size, style)
    quads = layout.quads.reshape(-1, 2) * scale
    extent = np.concatenate([quads.min(0), quads.max(0)])
    draw_surroundings(image, rng, extent, size * scale, supplies.glyphs.letters, style)
    on_plate = rng.random() < style.plate_rate
    if on_plate:
        corners = project(layout.digit_to_plane, np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]))
        boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
        chosen = sample_plates(rng, boxes, size, style)
        ink = draw_plates(image, rng, chosen, u, v, size, style)
    else:
        ink = _wall_ink(rng, _ground_level(image, masks.max(0)))
    masks = _draw_numerals(image, rng, masks, ink, size * scale, on_plate, style)
    image *= light(rng, image.shape[1:], style)
    return image, masks


def _wall_ink(rng: np.random.Generator, ground: np.ndarray) -> np.ndarray:
    """(3, 1, 1) BGR of digits mounted or painted on a wall of mean colour ``ground``."""
    kind = rng.random()
    if kind < 0.35:  # the wall's own colour, lighter or darker: cast, carved, painted over
        ink = (
            ground * rng.uniform(0.3, 0.65) if ground.mean() > 90 else ground + rng.uniform(50, 110)
        )
    elif kind < 0.5:  # brass, copper, blue, red
        choices = ((176, 138, 78), (120, 84, 60), (44, 60, 120), (130, 44, 40))
        ink = bgr(choices[rng.integers(4)]) * rng.uniform(0.6, 1.3)
    elif ground.mean() > 110:
        ink = rng.uniform(15, 70) + rng.normal(0, 5, (3, 1, 1))
    else:
        ink = rng.uniform(165, 240) + rng.normal(0, 5, (3, 1, 1))
    difference = ink.mean() - ground.mean()
    if abs(difference) < 35:
        ink = ink + (35 - abs(difference)) * (1 if ground.mean() < 110 else -1) * 2
    return np.clip(ink, 4, 250).astype(np.float32)


def _ground_level(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(3, 1, 1) mean colour around the digits, inside the rectangle that holds them."""
    x, y, w, h = cv2.boundingRect((mask > 0.3).view(np.uint8))
    weights = 1 - mask[y : y + h, x : x + w]
    total = (image[:, y : y + h, x : x + w] * weights).sum((1, 2), keepdims=True)
    return total / max(weights.sum(), np.float32(1))


def _draw_numerals(
    image: np.ndarray,
    rng: np.random.Generator,
    masks: np.ndarray,
    ink: np.ndarray,
    size: float,
    on_plate: bool,
    style: StyleParameters,
) -> np.ndarray:
    """Paint the digits in place; returns their coverage including an outline, if they have one."""
    alpha = masks.max(0)
    if rng.random() < style.outline_rate:
        masks = _draw_outline(image, rng, masks, ink, size)
    if not on_plate and rng.random() < style.shadow_rate:
        shift = rng.uniform(-0.07, 0.07, 2) * size
        move = np.array([[1, 0, shift[0]], [0, 1, abs(shift[1])]], np.float32)
        shadow = cv2.warpAffine(alpha, move, alpha.shape[::-1])
        shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.5, rng.uniform(0.01, 0.05) * size))
        image *= 1 - np.float32(rng.uniform(0.2, 0.6)) * shadow
    surface = ink
    if rng.random() < style.relief_rate:
        surface = ink + _relief(rng, alpha, size)
    if rng.random() < style.worn_rate:
        wear = smooth_noise(rng, alpha.shape, rng.uniform(0.1, 0.5) * size)
        alpha = alpha * np.clip(0.9 + 0.16 * wear, 0.45, 1)
    blend(image, surface, alpha)
    return masks


def _draw_outline(
    image: np.ndarray, rng: np.random.Generator, masks: np.ndarray, ink: np.ndarray, size: float
) -> np.ndarray:
    """A rim of another tone around each digit, in place; returns the widened coverage."""
    reach = 2 * max(1, round(rng.uniform(0.02, 0.05) * size)) + 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    wide = np.stack([cv2.dilate(mask, pen) for mask in masks])
    level = ink.mean()
    rim = ink + (rng.uniform(60, 130) if level < 128 else -rng.uniform(60, 130))
    blend(image, np.clip(rim, 5, 250).astype(np.float32), wide.max(0))
    return wide


def _relief(rng: np.random.Generator, alpha: np.ndarray, size: float) -> np.ndarray:
    """(H, W) grey levels to add: raised digits catch light on one side, metal shades downwards."""
    step = max(0.5, rng.uniform(0.02, 0.05) * size)
    angle = rng.uniform(0, 2 * np.pi)
    move = np.array([[1, 0, step * np.cos(angle)], [0, 1, step * np.sin(angle)]], np.float32)
    moved = cv2.warpAffine(alpha, move, alpha.shape[::-1])
    shading = rng.uniform(20, 80) * (alpha - moved)
    ramp = np.linspace(-1, 1, alpha.shape[0], dtype=np.float32)[:, None]
    return (shading + rng.normal(0, 20) * ramp).astype(np.float32)


def _photograph(
    rng: np.random.Generator,
    image: np.ndarray,
    mask: np.ndarray,
    layout: Layout,
    scale: int,
    params: DegradationParameters,
) -> np.ndarray:
    """Tone, blur, reduction to the image's size, noise and JPEG: (H, W, 3) uint8."""
    ink = (image * mask).sum() / (3 * max(mask.sum(), 1.0))
    ground = _ground_level(image, mask).mean()
    image = cv2.merge(list(image))
    if scale > 1:
        size = (layout.width, layout.height)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    image = adjust_tone(image, rng, float(ink), float(ground), params)
    image = blur(np.clip(image, 0, 255), rng, layout.digit_height, params)
    image = add_noise(image, rng, layout.digit_height, params)
    return compress(image, rng, params)
