"""Walls, and the light on them.

Images are (3, H, W) float32, the planes blue, green, red, 0..255; colours are (3, 1, 1).

Textures follow the wall's own coordinates: ``u`` and ``v``, (H, W) float32, are the plane
coordinates of each pixel's centre (see `layouts`), ``size`` is the height of the digits there.
"""

import cv2
import numpy as np

from mmdet_digits.synthetic.parameters import STYLE, StyleParameters, choose

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
