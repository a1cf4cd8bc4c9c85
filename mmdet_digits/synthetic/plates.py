"""Number plates: a coloured shape with border, bevel, screws and shadow behind the digits."""

from dataclasses import dataclass

import numpy as np

from mmdet_digits.synthetic.parameters import STYLE, StyleParameters
from mmdet_digits.synthetic.walls import bgr, blend, smooth_noise

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
