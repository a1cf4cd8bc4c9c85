"""An image as a part of a wider scene: its number smaller, off centre, with more around it.

Photographs are not always cropped as tightly as those that a detector was trained on. Nothing has
to be labelled anew: what is put around an image holds no digit.

Images are (H, W, 3) uint8, BGR; boxes are xyxy in pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mmdet_digits.synthetic.glyphs import load_glyphs
from mmdet_digits.synthetic.parameters import choose
from mmdet_digits.synthetic.surroundings import draw_surroundings, draw_wall, smooth_noise

STRETCH = 1.25  # how far the share of the width may differ from that of the height, as a factor
CENTRING = 1.5  # of a beta distribution: 1 puts the image anywhere, more prefers the middle
CLUTTER_RATE = 0.6


@dataclass(frozen=True, eq=False)
class Placed:
    """An image and its place in a scene.

    Args:
        image: (H, W, 3).
        bboxes: its digits (N, 4).
        borders: what the scene has above, below, left and right of the image, in pixels.
        size: height of the digits in pixels.
    """

    image: np.ndarray
    bboxes: np.ndarray
    borders: list[int]
    size: float

    @property
    def scene_shape(self) -> tuple[int, int]:
        """Height and width of the scene."""
        above, below, left, right = self.borders
        height, width = self.image.shape[:2]
        return above + height + below, left + width + right


def widen(
    image: np.ndarray,
    bboxes: np.ndarray,
    rng: np.random.Generator,
    share: tuple[float, float] = (0.35, 1.0),
    longest: int = 640,
) -> tuple[np.ndarray, np.ndarray]:
    """Put an image into a wider scene.

    Args:
        image: (H, W, 3).
        bboxes: (N, 4), its digits. What is drawn around the image has their size.
        rng: random generator.
        share: least and largest height of the image as a share of the scene's, at most 1.
        longest: the longest side of the scene in pixels; a larger one is reduced, image included.

    Returns:
        The scene, and the boxes in it.
    """
    sides = np.array(image.shape[1::-1])
    of_height = rng.uniform(*share)
    of_width = min(of_height * STRETCH ** rng.uniform(-1, 1), 1.0)
    wished = sides / (of_width, of_height)
    reduced = np.maximum(np.round(sides * min(1.0, longest / wished.max())), 1).astype(int)
    if (reduced < sides).any():
        image = cv2.resize(image, reduced.tolist(), interpolation=cv2.INTER_AREA)
        bboxes = bboxes * np.tile(reduced / sides, 2)
    room = np.round(reduced / (of_width, of_height)).astype(int) - reduced
    corner = np.round(rng.beta(CENTRING, CENTRING, 2) * room).astype(int)
    if not room.any():
        return image, bboxes
    heights = bboxes[:, 3] - bboxes[:, 1]
    size = max(float(np.median(heights)) if len(heights) else reduced[1] / 2, 4.0)
    borders = corner[1], room[1] - corner[1], corner[0], room[0] - corner[0]
    placed = Placed(image, bboxes, [int(side) for side in borders], size)
    scene = choose(rng, FILLS)(placed, rng)
    extent = np.concatenate([corner, corner + reduced])
    if rng.random() < CLUTTER_RATE:
        _draw_clutter(scene, extent, size, rng)
    scene += smooth_noise(rng, scene.shape[:2], 1.2)[..., None] * np.float32(rng.uniform(0.5, 4))
    _lay(scene, image, corner, rng.uniform(0.03, 0.2) * size)
    return np.clip(scene, 0, 255).astype(np.uint8), bboxes + np.tile(corner, 2)


def _stretched(placed: Placed, rng: np.random.Generator) -> np.ndarray:
    """The pixels of the edges go on, blurred."""
    scene = cv2.copyMakeBorder(placed.image, *placed.borders, cv2.BORDER_REPLICATE)
    return _blurred(scene, rng.uniform(0.08, 0.5) * placed.size)


def _mirrored(placed: Placed, rng: np.random.Generator) -> np.ndarray:
    """The image mirrored at its edges, so blurred that no digit of it can be read."""
    scene = cv2.copyMakeBorder(placed.image, *placed.borders, cv2.BORDER_REFLECT_101)
    return _blurred(scene, rng.uniform(0.3, 0.8) * placed.size)


def _margin(placed: Placed, rng: np.random.Generator) -> np.ndarray:
    """The largest part of the image that has no digit, mirrored over the whole scene."""
    image, bboxes = placed.image, placed.bboxes
    height, width = image.shape[:2]
    left, top = np.floor(bboxes[:, :2].min(0, initial=width)).astype(int).clip(0)
    right, bottom = np.ceil(bboxes[:, 2:].max(0, initial=0)).astype(int)
    parts = (image[:top], image[bottom:], image[:, :left], image[:, right:])
    part = max(parts, key=lambda part: min(part.shape[:2]))
    if min(part.shape[:2]) < 4:
        return _stretched(placed, rng)
    height, width = placed.scene_shape
    missing = np.maximum(np.subtract((height, width), part.shape[:2]), 0).tolist()
    scene = cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], cv2.BORDER_REFLECT)
    return _blurred(scene[:height, :width], rng.uniform(0, 0.06) * placed.size)


def _wall(placed: Placed, rng: np.random.Generator) -> np.ndarray:
    """A drawn wall of about the brightness of the image's edges."""
    height, width = placed.scene_shape
    v, u = np.mgrid[:height, :width].astype(np.float32)
    scene = draw_wall(rng, u, v, placed.size).transpose(1, 2, 0)
    image = placed.image
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).mean(0)
    scene *= np.float32(1 + rng.uniform(0.3, 1) * (edges.mean() / max(scene.mean(), 1.0) - 1))
    return np.ascontiguousarray(scene)


FILLS = ((_stretched, 0.25), (_mirrored, 0.3), (_margin, 0.25), (_wall, 0.2))
"""What may lie around an image, (H, W, 3) float32 of the whole scene, and how often it does."""


def _blurred(scene: np.ndarray, sigma: float) -> np.ndarray:
    """A blurred copy, (H, W, 3) float32; computed small where the blur is wide."""
    step = max(1, int(sigma / 2))
    height, width = scene.shape[:2]
    small = (max(1, width // step), max(1, height // step))
    scene = cv2.resize(scene, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    if sigma > 0.3:
        scene = cv2.GaussianBlur(scene, (0, 0), sigma / step)
    return cv2.resize(scene, (width, height), interpolation=cv2.INTER_LINEAR)


def _draw_clutter(
    scene: np.ndarray, extent: np.ndarray, size: float, rng: np.random.Generator
) -> None:
    """Draw, in place, what might be taken for digits: letters, lines, railings, fittings."""
    planes = scene.transpose(2, 0, 1)
    draw_surroundings(planes, rng, extent, size, load_glyphs().letters)
    height, width = scene.shape[:2]
    for _ in range(rng.integers(0, 4)):  # bells, screws, locks, letter boxes
        centre = rng.uniform((0, 0), (width, height))
        half = size * rng.uniform(0.06, 0.5, 2)
        tone = np.clip(scene.mean() * rng.uniform(0.3, 1.7), 5, 250)
        low, high = np.round([centre - half, centre + half]).astype(int)
        thickness = -1 if rng.random() < 0.6 else max(1, round(0.06 * size))
        mask = np.zeros((height, width), np.uint8)
        if rng.random() < 0.5:
            axes = np.maximum(np.round(half), 1).astype(int)
            middle = np.round(centre).astype(int).tolist()
            cv2.ellipse(mask, middle, axes.tolist(), 0, 0, 360, 255, thickness, cv2.LINE_AA)
        else:
            cv2.rectangle(mask, low.tolist(), high.tolist(), 255, thickness, cv2.LINE_AA)
        scene += (np.float32(tone) - scene) * (mask / np.float32(255))[..., None]


def _lay(scene: np.ndarray, image: np.ndarray, corner: np.ndarray, softness: float) -> None:
    """Lay an image on a scene, in place, its edges over so many pixels transparent.

    Edges of the image that are edges of the scene too stay as they are.
    """
    height, width = image.shape[:2]
    x, y = corner
    part = scene[y : y + height, x : x + width]
    across, down = (np.arange(side) + 0.5 for side in (width, height))
    far = np.inf
    left = across if x else np.full(width, far)
    right = across[::-1] if x + width < scene.shape[1] else np.full(width, far)
    above = down if y else np.full(height, far)
    below = down[::-1] if y + height < scene.shape[0] else np.full(height, far)
    inside = np.minimum(np.minimum(left, right)[None], np.minimum(above, below)[:, None])
    alpha = np.clip(inside / max(softness, 0.5), 0, 1).astype(np.float32)[..., None]
    part += (image - part) * alpha
