"""An image fitted into a canvas of one size, as every image goes into a detector."""

import cv2
import numpy as np

FILLING = (104, 116, 124)
"""BGR value of what an image does not cover: ImageNet's mean, about 0 when normalised."""


def fitted_size(size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    """Width and height of an image fitted into a canvas: rounded, at least 1 px.

    Args:
        size: its width and height in pixels.
        canvas: width and height of the canvas.
    """
    factor = min(limit / side for side, limit in zip(size, canvas, strict=True))
    width, height = (max(1, int(side * factor + 0.5)) for side in size)
    return width, height


def fit(
    image: np.ndarray, canvas: tuple[int, int], filling: tuple[int, int, int] = FILLING
) -> tuple[np.ndarray, tuple[int, int]]:
    """Resize an image and put it into the top left corner of a canvas, as ``CanvasResize`` does.

    Args:
        image: (H, W, 3) uint8.
        canvas: width and height of the canvas in pixels.
        filling: value of the rest.

    Returns:
        The canvas, (H', W', 3) uint8, and width and height of the image on it.
    """
    size = fitted_size(image.shape[1::-1], canvas)
    filled = np.full((canvas[1], canvas[0], 3), filling, np.uint8)
    filled[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return filled, size
