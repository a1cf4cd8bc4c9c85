"""What a number stands on and among: walls and the light on them, plates, lines, letters."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmdet_digits.synthetic.glyphs import GLYPH_HEIGHT
from mmdet_digits.synthetic.parameters import STYLE, StyleParameters, choose

# Walls, and the light on them.
#
# Images are (3, H, W) float32, the planes blue, green, red, 0..255; colours are (3, 1, 1).
#
# Textures follow the wall's own coordinates: ``u`` and ``v``, (H, W) float32, are the plane
# coordinates of each pixel's centre (see `layouts`), ``size`` is the height of the digits there.

WALL_COLOURS = (  # RGB, weight: mostly greys and whites, few colours, as on real facades
    ((205, 200, 190), 3.0),
    ((228, 226, 222), 2.5),
    ((178, 174, 168), 3.0),
    ((148, 146, 144), 3.0),
    ((118, 114, 110), 2.5),
    ((88, 85, 82), 2.0),
    ((55, 52, 50), 2.0),
    ((172, 150, 118), 1.5),
    ((205, 175, 130), 0.8),
    ((146, 92, 74), 1.3),
    ((108, 74, 58), 1.3),
    ((84, 96, 112), 0.8),
    ((150, 165, 180), 0.8),
    ((48, 66, 54), 0.5),
    ((132, 44, 38), 0.4),
    ((40, 62, 110), 0.3),
    ((190, 120, 60), 0.4),
)
BRICK_COLOURS = ((140, 84, 70), (118, 70, 58), (92, 62, 54), (165, 120, 95), (190, 180, 170))


def bgr(rgb: tuple[int, int, int]) -> np.ndarray:
    """(3, 1, 1) float32 BGR of an RGB triple."""
    return np.array(rgb[::-1], np.float32).reshape(3, 1, 1)


def blend(image: np.ndarray, surface: np.ndarray, alpha: np.ndarray) -> None:
    """Lay a surface or colour over an image, in place, where ``alpha`` (H, W) is 1."""
    difference = surface - image
    difference *= alpha
    image += difference


def sample_wall_colour(rng: np.random.Generator) -> np.ndarray:
    """(3, 1, 1) BGR: one of `WALL_COLOURS`, varied in lightness and tint."""
    weights = np.array([weight for _, weight in WALL_COLOURS])
    colour = bgr(WALL_COLOURS[rng.choice(len(weights), p=weights / weights.sum())][0])
    tint = rng.normal(0, 5, (3, 1, 1))
    return np.clip(colour * rng.normal(1, 0.12) + tint, 12, 245).astype(np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """(H, W) float32 noise of standard deviation about 1, its spots about ``cell`` pixels wide."""
    height, width = shape
    if cell <= 1.2:
        return rng.standard_normal(shape, np.float32)
    small = (max(2, int(height / cell) + 2), max(2, int(width / cell) + 2))
    noise = rng.standard_normal(small, np.float32)
    if cell > 8:  # cubic to a fourth of the size, the rest linear: looks the same, much faster
        middle = (max(2, width // 4), max(2, height // 4))
        noise = cv2.resize(noise, middle, interpolation=cv2.INTER_CUBIC)
        return cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def draw_wall(
    rng: np.random.Generator,
    u: np.ndarray,
    v: np.ndarray,
    size: float,
    style: StyleParameters = STYLE,
) -> np.ndarray:
    """Draw a whole wall; ``size`` is the digit height in the units of ``u`` and ``v``."""
    scale = u.shape[1] / max(float(np.ptp(u[0])), 1.0)  # pixels per unit
    kind = choose(rng, style.wall_weights)
    if kind == 'brick':
        image = _bricks(rng, u, v, size)
    else:
        colour = sample_wall_colour(rng)
        tone = np.ones(u.shape, np.float32)
        if kind == 'planks':
            tone = _planks(rng, u, v, size)
        elif kind == 'panels':
            tone = _panels(rng, u, v, size)
        image = tone * colour
    image += _grain(rng, u.shape, size * scale, rough=kind in ('stucco', 'brick'))
    return image


def _grain(
    rng: np.random.Generator, shape: tuple[int, int], size: float, rough: bool
) -> np.ndarray:
    """Stains and roughness; ``size`` is the digit height in pixels."""
    grain = smooth_noise(rng, shape, 1.5 * size) * rng.uniform(2, 9)
    grain += smooth_noise(rng, shape, 0.3 * size) * rng.uniform(0.5, 4)
    if rough:
        grain += smooth_noise(rng, shape, rng.uniform(0.04, 0.12) * size) * rng.uniform(2, 10)
    return grain


def _bricks(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, size: float) -> np.ndarray:
    high = size * rng.uniform(0.35, 0.9)
    wide = high * rng.uniform(2.2, 3.6)
    joint = rng.uniform(0.06, 0.16) * high
    offset_u, offset_v = rng.uniform(0, 100, 2) * size
    rows = (v + offset_v) / high
    row = np.floor(rows).astype(np.int32)
    columns = (u + offset_u) / wide + 0.5 * (row & 1)
    column = np.floor(columns).astype(np.int32)
    to_joint = np.minimum((rows - row) * high, (columns - column) * wide)
    mortar = np.clip(1.5 - to_joint / joint, 0, 1)
    colour = bgr(BRICK_COLOURS[rng.integers(len(BRICK_COLOURS))]) * rng.uniform(0.7, 1.15)
    tones = 1 + rng.normal(0, rng.uniform(0.03, 0.16), 97).astype(np.float32)
    bricks = colour * tones[(row * 31 + column * 17) % 97]
    blend(bricks, np.float32(np.clip(colour.mean() * rng.uniform(0.6, 1.6), 30, 210)), mortar)
    return bricks


def _planks(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, size: float) -> np.ndarray:
    """Boards or siding: lapped boards shade from top to bottom, and a dark gap between them."""
    across = v if rng.random() < 0.6 else u
    wide = size * rng.uniform(0.7, 3.0)
    boards = (across + rng.uniform(0, 50) * size) / wide
    board = np.floor(boards).astype(np.int32)
    inside = boards - board
    tones = 1 + rng.normal(0, 0.04, 53).astype(np.float32)
    gap = np.clip(1.5 - inside * wide / (rng.uniform(0.03, 0.1) * size), 0, 1)
    tone = tones[board % 53] * (1 + rng.uniform(-0.15, 0.15) * (inside - 0.5))
    return tone * (1 - rng.uniform(0.15, 0.6) * gap)


def _panels(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, size: float) -> np.ndarray:
    """A raised or sunk field with bright and dark edges: doors, posts, letter boxes."""
    tone = np.ones(u.shape, np.float32)
    for _ in range(rng.integers(1, 3)):
        half = size * rng.uniform(0.9, 3.0, 2)
        centre = rng.normal(0, 0.8, 2) * size
        to_edge = np.maximum(np.abs(u - centre[0]) - half[0], np.abs(v - centre[1]) - half[1])
        edge = np.clip(1.3 - np.abs(to_edge) / (rng.uniform(0.04, 0.1) * size), 0, 1)
        light = np.where((u - centre[0]) + (v - centre[1]) * 1.5 > 0, 1.0, -1.0)
        tone = tone * (1 + rng.uniform(-0.35, 0.35) * edge * light)
        tone = tone * np.where(to_edge < 0, rng.uniform(0.85, 1.12), 1.0)
    return tone.astype(np.float32)


def light(
    rng: np.random.Generator, shape: tuple[int, int], style: StyleParameters = STYLE
) -> np.ndarray:
    """(H, W) float32 illumination about 1: a gradient, and sometimes the edge of a cast shadow."""
    height, width = shape
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    gradient = rng.normal(0, 0.1, 2)
    illumination = 1 + np.float32(gradient[0]) * x + np.float32(gradient[1]) * y
    if rng.random() < style.cast_shadow_rate:
        angle = rng.uniform(0, 2 * np.pi)
        softness = rng.uniform(0.05, 0.6)
        ramp = (np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.6, 0.6)) / softness
        depth = rng.uniform(0.25, 0.55)
        illumination = illumination * (1 - depth * np.clip(ramp + 0.5, 0, 1))
    return np.maximum(illumination, 0.25).astype(np.float32)


# Number plates: a coloured shape with border, bevel, screws and shadow behind the digits.

PLATE_COLOURS = (  # RGB of the plate, RGB of its digits, weight; ours, after SVHN's images
    ((38, 54, 118), (232, 234, 238), 3.6),
    ((26, 32, 66), (225, 228, 232), 1.6),
    ((232, 232, 230), (28, 28, 32), 2.4),
    ((230, 232, 234), (44, 62, 132), 1.8),
    ((26, 26, 28), (228, 228, 225), 1.3),
    ((30, 28, 28), (196, 156, 88), 0.3),
    ((206, 176, 74), (30, 28, 26), 0.3),
    ((32, 84, 62), (226, 228, 222), 0.4),
    ((150, 150, 150), (46, 46, 48), 0.7),
    ((205, 190, 160), (60, 46, 38), 0.5),
    ((88, 62, 46), (222, 206, 172), 0.5),
    ((150, 42, 40), (230, 226, 222), 0.3),
)


@dataclass(frozen=True)
class Plate:
    """A plate in plane coordinates; lengths in pixels.

    Args:
        centre: (2,) x, y.
        half: (2,) half width and half height.
        corner: Corner radius; negative cuts round notches into the corners.
        ellipse: An oval instead of a rectangle.
    """

    centre: np.ndarray
    half: np.ndarray
    corner: float
    ellipse: bool = False

    def distance(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Signed distance of plane points to the outline, negative inside; same shape as ``u``."""
        x, y = np.abs(u - self.centre[0]), np.abs(v - self.centre[1])
        if self.ellipse:
            radius = np.sqrt((x / self.half[0]) ** 2 + (y / self.half[1]) ** 2)
            return (radius - 1) * float(self.half.min())
        inner = self.half - max(self.corner, 0)
        dx, dy = x - inner[0], y - inner[1]
        outside = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
        distance = outside + np.minimum(np.maximum(dx, dy), 0) - max(self.corner, 0)
        if self.corner < 0:
            notch = -self.corner - np.sqrt((x - self.half[0]) ** 2 + (y - self.half[1]) ** 2)
            distance = np.maximum(distance, notch)
        return distance


def sample_plates(
    rng: np.random.Generator, boxes: np.ndarray, size: float, style: StyleParameters = STYLE
) -> list[Plate]:
    """One plate for the number, or one per digit.

    Args:
        rng: Random generator.
        boxes: (N, 4) x1, y1, x2, y2 of the digits in the plane.
        size: Digit height.
        style: The distributions.
    """
    low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    if len(boxes) > 1 and rng.random() < style.tiles_rate:
        pad = np.array([max(0.02, rng.normal(0.05, 0.02)), rng.uniform(0.08, 0.25)]) * size
        groups = [(box[:2], box[2:]) for box in boxes]
    else:
        pad = np.array([rng.uniform(0.08, 0.55), rng.uniform(0.06, 0.4)]) * size
        groups = [(low, high)]
    corner = size * float(
        rng.choice((0, 0, 0.03, rng.uniform(0.05, 0.3), -rng.uniform(0.08, 0.16)))
    )
    oval = len(groups) == 1 and rng.random() < 0.07
    plates = []
    for start, stop in groups:
        half = (stop - start) / 2 + pad
        if oval:
            half = half * (1.28, 1.3)
        corner = float(np.clip(corner, -0.3 * half.min(), 0.95 * half.min()))
        plates.append(Plate((start + stop) / 2, half, corner, oval))
    return plates


def sample_plate_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two (3, 1, 1) BGR: the plate and its digits."""
    weights = np.array([weight for *_, weight in PLATE_COLOURS])
    face, ink, _ = PLATE_COLOURS[rng.choice(len(weights), p=weights / weights.sum())]
    vary = [rng.normal(1, 0.12) + rng.normal(0, 0.05, (3, 1, 1)) for _ in range(2)]
    offset = rng.uniform(0, 22)  # haze: nothing outdoors is black
    return tuple(
        np.clip(bgr(rgb) * gain + offset, 5, 248).astype(np.float32)
        for rgb, gain in zip((face, ink), vary, strict=True)
    )


def draw_plates(
    image: np.ndarray,
    rng: np.random.Generator,
    plates: list[Plate],
    u: np.ndarray,
    v: np.ndarray,
    size: float,
    style: StyleParameters = STYLE,
) -> np.ndarray:
    """Draw plates in place and return the (3, 1, 1) BGR colour for the digits on them."""
    face, ink = sample_plate_colours(rng)
    pixel = max(float(np.ptp(u[0])) / u.shape[1], 0.2)  # plane units per pixel
    shade = rng.uniform(0.15, 0.6) if rng.random() < 0.6 else 0.0
    shift = rng.normal(0, 0.04, 2) * size
    border = rng.random() < style.border_rate
    inset, line = rng.uniform(0.0, 0.09) * size, rng.uniform(0.025, 0.06) * size
    edge_light = rng.uniform(-0.4, 0.4)
    stains = smooth_noise(rng, u.shape, size / pixel) * rng.uniform(0.5, 5)
    slope = rng.normal(0, 0.06)
    screws = rng.random() < style.screw_rate
    for plate in plates:
        if shade:
            far = plate.distance(u - shift[0], v - abs(shift[1]))
            image *= (1 - shade * np.clip(0.7 - far / (0.08 * size), 0, 1)).astype(np.float32)
        distance = plate.distance(u, v)
        alpha = np.clip(0.5 - distance / pixel, 0, 1)
        tone = 1 + slope * (v - plate.centre[1]) / plate.half[1]
        rim = np.clip(1 + distance / (0.05 * size), 0, 1)
        surface = face * (tone * (1 + edge_light * rim)).astype(np.float32) + stains
        if border:
            band = np.clip((line - np.abs(distance + inset + line)) / pixel + 0.5, 0, 1)
            blend(surface, ink, band)
        if screws:
            _screws(surface, rng, plate, u, v, size)
        blend(image, surface, alpha)
    return ink


def _screws(
    surface: np.ndarray,
    rng: np.random.Generator,
    plate: Plate,
    u: np.ndarray,
    v: np.ndarray,
    size: float,
) -> None:
    """Two or four screw heads near the corners or the ends, in place."""
    reach = plate.half - 0.075 * size
    corners = rng.random() < 0.5
    tone = np.float32(rng.uniform(40, 200))
    for sx, sy in ((-1, -1), (1, -1), (-1, 1), (1, 1)) if corners else ((-1, 0), (1, 0)):
        x, y = plate.centre + reach * (sx, sy)
        radius = 0.035 * size
        blend(surface, tone, np.clip(1.5 - np.hypot(u - x, v - y) / radius, 0, 1))


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
