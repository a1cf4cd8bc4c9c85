"""What stands beside a number: other surfaces, lines, railings, letters.

Images are (3, H, W) float32, the planes blue, green, red, 0..255, and are changed in place.
"""

import cv2
import numpy as np

from mmdet_digits.synthetic.glyphs import GLYPH_HEIGHT
from mmdet_digits.synthetic.parameters import STYLE, StyleParameters
from mmdet_digits.synthetic.walls import blend, sample_wall_colour


def draw_surroundings(
    image: np.ndarray,
    rng: np.random.Generator,
    extent: np.ndarray,
    size: float,
    letters: tuple[np.ndarray, ...],
    style: StyleParameters = STYLE,
) -> None:
    """Draw, in place, what stands beside the number: other surfaces, lines, railings, letters.

    Args:
        image: (3, H, W), changed.
        rng: Random generator.
        extent: (4,) x1, y1, x2, y2 around the number in pixels, which is kept free.
        size: Digit height in pixels.
        letters: Distractor glyphs.
        style: The distributions.
    """
    if rng.random() < style.region_rate:
        for _ in range(rng.integers(1, 3)):
            _region(image, rng, extent, size)
    if rng.random() < style.line_rate:
        _lines(image, rng, extent, size)
    if rng.random() < style.bars_rate:
        _bars(image, rng, extent, size)
    if rng.random() < style.letter_rate:
        _letter(image, rng, extent, size, letters)


def _region(image: np.ndarray, rng: np.random.Generator, extent: np.ndarray, size: float) -> None:
    """Fill one side of the image with another surface, up to a line that may slope."""
    height, width = image.shape[1:]
    side = int(rng.choice(4, p=(0.36, 0.36, 0.14, 0.14)))  # left, right, top, bottom
    room = (extent[0], width - extent[2], extent[1], height - extent[3])[side]
    depth = room * rng.uniform(0.05, 0.9)
    slope = rng.normal(0, 0.06) * (height if side < 2 else width) / 2
    if abs(slope) + 0.1 * size > room - depth:
        slope = 0.0
    near, far = depth + slope, depth - slope
    corners = {
        0: [(-9, -9), (near, -9), (far, height + 9), (-9, height + 9)],
        1: [
            (width + 9, -9),
            (width - near, -9),
            (width - far, height + 9),
            (width + 9, height + 9),
        ],
        2: [(-9, -9), (width + 9, -9), (width + 9, near), (-9, far)],
        3: [
            (-9, height + 9),
            (width + 9, height + 9),
            (width + 9, height - near),
            (-9, height - far),
        ],
    }[side]
    dark = rng.random() < 0.55
    colour = sample_wall_colour(rng) * (rng.uniform(0.25, 0.7) if dark else rng.uniform(0.9, 1.2))
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(np.multiply(corners, 16)).astype(np.int32)], 255, cv2.LINE_AA, 4)
    if rng.random() < 0.6:  # keep some of the texture below
        texture = image - image.mean((1, 2), keepdims=True)
        colour = colour + np.float32(rng.uniform(0.3, 0.9)) * texture
    blend(image, colour, mask * np.float32(1 / 255))
    if rng.random() < 0.4:  # frame along the edge
        ends = [corners[i] for i in ((1, 2), (3, 2))[side > 1]]
        _stroke(image, ends, sample_wall_colour(rng), rng.uniform(0.03, 0.15) * size)


def _stroke(
    image: np.ndarray, ends: list[tuple[float, float]], colour: np.ndarray | float, thickness: float
) -> None:
    """A straight line from ``ends[0]`` to ``ends[1]`` (x, y), in place."""
    mask = np.zeros(image.shape[1:], np.uint8)
    start, stop = np.round(ends).astype(int)
    cv2.line(mask, tuple(start), tuple(stop), 255, max(1, round(thickness)), cv2.LINE_AA)
    blend(image, colour, mask * np.float32(1 / 255))


def _lines(image: np.ndarray, rng: np.random.Generator, extent: np.ndarray, size: float) -> None:
    """Long thin lines beside, above or below the number."""
    height, width = image.shape[1:]
    for _ in range(rng.integers(1, 4)):
        thickness = max(1, rng.uniform(0.02, 0.08) * size)
        tone = np.float32(image.mean() * rng.uniform(0.35, 1.5))
        side = int(rng.integers(4))  # left, right, top, bottom
        free = (0.3 if side < 2 else 0.05) * size + thickness
        room = (extent[0], width - extent[2], extent[1], height - extent[3])[side] - free
        if room < 1:
            continue
        at, tilt = rng.uniform(0, room), rng.normal(0, 0.04) * size
        if side < 2:
            x = at if side == 0 else width - at
            ends = (x, -9), (x + tilt, height + 9)
        else:
            y = at if side == 2 else height - at
            ends = (-9, y), (width + 9, y + tilt)
        _stroke(image, ends, tone, thickness)


def _bars(image: np.ndarray, rng: np.random.Generator, extent: np.ndarray, size: float) -> None:
    """A railing: equal bars over the full height, on one side."""
    height, width = image.shape[1:]
    step = size * rng.uniform(0.25, 0.7)
    thickness = max(1, round(step * rng.uniform(0.2, 0.5)))
    tone = np.float32(rng.uniform(15, 60) if rng.random() < 0.7 else rng.uniform(190, 230))
    left = rng.random() < 0.5
    start, stop = (
        (-step, extent[0] - 0.5 * size) if left else (extent[2] + 0.5 * size, width + step)
    )
    for x in np.arange(start, stop, step):
        _stroke(image, [(x, -9), (x, height + 9)], tone, thickness)


def _letter(
    image: np.ndarray,
    rng: np.random.Generator,
    extent: np.ndarray,
    size: float,
    letters: tuple[np.ndarray, ...],
) -> None:
    """One letter beside the number, smaller or as large, possibly cut by the image edge."""
    height, width = image.shape[1:]
    high = max(4, round(size * rng.uniform(0.4, 1.0)))
    glyph = letters[rng.integers(len(letters))]
    wide = max(3, round(glyph.shape[1] * high / GLYPH_HEIGHT * rng.uniform(0.6, 1.0)))
    glyph = cv2.resize(glyph, (wide, high), interpolation=cv2.INTER_AREA)
    right = rng.random() < 0.6
    x = (
        round(extent[2] + size * rng.uniform(0.2, 0.8))
        if right
        else round(extent[0] - size * rng.uniform(0.2, 0.8) - wide)
    )
    y = round(extent[1] + rng.uniform(-0.1, 0.9) * (extent[3] - extent[1] - high))
    x1, x2, y1, y2 = max(x, 0), min(x + wide, width), max(y, 0), min(y + high, height)
    if x2 - x1 < 3 or y2 - y1 < 3:
        return
    part = image[:, y1:y2, x1:x2]
    ground = part.mean((1, 2), keepdims=True)
    ink = ground + np.float32(90 if ground.mean() < 110 else -80)
    blend(part, ink, glyph[y1 - y : y2 - y, x1 - x : x2 - x] * np.float32(1 / 255))
