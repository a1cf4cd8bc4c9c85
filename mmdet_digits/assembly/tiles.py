"""Parts of a large image in which small numbers can be found. Boxes are xyxy in pixels."""

import numpy as np

from mmdet_digits.boxes import areas, intersections

LARGE = 4.0
"""From this many pixels per pixel of the canvas on, an image is read in parts; none of SVHN's."""
FINEST = 3.0
"""Pixels per pixel of the canvas in the smallest parts. Of 40 SVHN images set into scenes of 2000 x
1500 px, digits 40 to 120 px high, 29 are read so in 0.5 s each on one core; 28 in 1.0 s with 2.0; 9
in one piece; and 31 of the images by themselves."""
SHARED = 0.5
"""How much of the smaller of two boxes they may share; more, and the better-scored one stays."""


def is_large(size: tuple[int, int], canvas: tuple[int, int]) -> bool:
    """Whether an image of this width and height is read in parts."""
    return max(side / limit for side, limit in zip(size, canvas, strict=True)) >= LARGE


def plan_tiles(size: tuple[int, int], canvas: tuple[int, int]) -> np.ndarray:
    """Cover an image with tiles of several sizes, each twice as large as the last.

    Tiles of one size overlap by half, so that a number half as large as a tile lies whole in one.

    Args:
        size: width and height of the image.
        canvas: width and height to which each tile is resized.

    Returns:
        (M, 4) whole numbers, the smallest tiles first; the last one is the image.
    """
    tiles, factor = [], FINEST
    while any(side > factor * limit for side, limit in zip(size, canvas, strict=True)):
        width, height = (
            min(side, round(factor * limit)) for side, limit in zip(size, canvas, strict=True)
        )
        tiles += [
            (x, y, x + width, y + height)
            for y in _starts(size[1], height)
            for x in _starts(size[0], width)
        ]
        factor *= 2
    return np.array([*tiles, (0, 0, *size)])


def _starts(side: int, length: int) -> list[int]:
    """Where parts of a length begin that cover a side and overlap by half or more."""
    count = -(-2 * (side - length) // length) + 1
    return np.linspace(0, side - length, count).round().astype(int).tolist()


def lies_whole(bboxes: np.ndarray, tile: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which boxes (N, 4) do not touch an edge at which their tile was cut out of the image: (N,).

    Args:
        bboxes: found in the tile, in pixels of the image.
        tile: (4,).
        size: width and height of the image.
    """
    inside = np.array([0, 0, *size]) == tile  # an edge of the image itself
    room = np.abs(bboxes - tile)
    return (inside | (room > 1)).all(1)


def best_of(bboxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The indices of the boxes (N, 4) that share little with any better-scored one, best first."""
    order, kept = np.argsort(-scores, kind='stable'), []
    for n in order:
        smaller = np.minimum(areas(bboxes[n]), areas(bboxes[kept]))
        if (intersections(bboxes[n], bboxes[kept]) <= SHARED * smaller).all():
            kept.append(n)
    return np.array(kept, dtype=int)
