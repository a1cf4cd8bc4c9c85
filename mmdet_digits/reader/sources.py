"""The images that a reader is given: files, bytes, arrays and Pillow's images."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from mmdet_digits.errors import InputError
from mmdet_digits.image_reading import MAX_PIXELS, decode, load_image, quiet_decoders

EXPECTED = (
    'a path, the bytes of an image file, a Pillow image, or a uint8 array (H, W), (H, W, 3) BGR or '
    '(H, W, 4) BGRA'
)


def open_source(source: Any, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, str | None]:
    """Load an image, turned as its EXIF tag says.

    Args:
        source: a path, the bytes of an image file, a Pillow image, or an array (H, W, 3) uint8, BGR
            as OpenCV has it; grey and BGRA arrays are converted.
        max_pixels: how many pixels a file may have.

    Returns:
        The image (H, W, 3) uint8, BGR, and its path if it has one.

    Raises:
        InputError: it is nothing of these, or cannot be decoded.
    """
    if isinstance(source, str | Path):
        return load_image(source, max_pixels), str(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decoded(bytes(source)), None
    if isinstance(source, Image.Image):
        name = getattr(source, 'filename', '') or None
        return np.asarray(ImageOps.exif_transpose(source).convert('RGB'))[..., ::-1], name
    if isinstance(source, np.ndarray):
        return _as_bgr(source), None
    raise _not_an_image(type(source).__name__)


def _decoded(data: bytes) -> np.ndarray:
    try:
        with quiet_decoders():
            return decode(data)
    except (ValueError, cv2.error) as error:
        raise _not_an_image(f'{len(data):,} bytes, beginning with {data[:8]!r}') from error


def _as_bgr(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8 and array.size:
        if array.ndim == 2:
            return cv2.cvtColor(array, cv2.COLOR_GRAY2BGR)
        if array.ndim == 3 and array.shape[2] in (3, 4):
            return array[..., :3]
    raise _not_an_image(f'an array of {array.dtype}, {" x ".join(map(str, array.shape))}')


def _not_an_image(found: str) -> InputError:
    return InputError('This is no image that can be read.', found, EXPECTED, 'convert it first')
