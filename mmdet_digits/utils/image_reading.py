"""How image files are opened and decoded: by one decoder for all that detects, draws and checks.

Pixels are those of OpenCV's ``IMREAD_COLOR``: 8 bits, and turned as the file's EXIF tag says.
"""

import contextlib
import errno
import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from mmdet_digits.utils.errors import InputError

MAX_PIXELS = 100_000_000
PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
PNG_START = PNG_SIGNATURE + b'\0\0\0\rIHDR'


def open_image(path: Path | str) -> BinaryIO:
    """Open a file to read, unbuffered, if it is a regular one: a pipe or a device may never end.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116  (half the time of Path.stat)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, 'a pipe, a socket or a device, no regular file')
    return open(path, 'rb', buffering=0)  # noqa: PTH123  (Path.open takes longer)


def check_image(path: Path | str, max_pixels: int = MAX_PIXELS) -> None:
    """Check, without decoding it, that a file is an image that may be decoded.

    Args:
        path: the file.
        max_pixels: how many pixels it may have, by its header.

    Raises:
        InputError: it is missing, no regular file, not to be read, no image or too large.
    """
    try:
        with open_image(path) as file:
            size = _stored_size(file)
    except Image.DecompressionBombError as error:
        raise _too_large(path, str(error).partition(',')[0], max_pixels) from error
    except Exception as error:  # Pillow raises nearly anything for a broken file
        raise unreadable(path, error) from error
    check_pixels(path, size, max_pixels)


def check_pixels(path: Path | str, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> None:
    """Raise InputError if an image of this width and height may not be decoded."""
    if size[0] * size[1] > max_pixels:
        raise _too_large(path, f'{size[0]:,} x {size[1]:,}', max_pixels)


def load_image(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Load an image as (H, W, 3) uint8 BGR.

    Raises:
        InputError: as :func:`check_image`, or it cannot be decoded.
    """
    check_image(path, max_pixels)
    try:
        with quiet_decoders():
            return decode(Path(path).read_bytes())
    except (OSError, ValueError, cv2.error) as error:
        raise unreadable(path, error) from error


def decode(data: bytes, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode an image as training does, to (H, W, 3) uint8 BGR.

    Raises:
        ValueError: OpenCV cannot.
        cv2.error: likewise.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError('OpenCV, which training reads images with, cannot decode it')
    return pixels


def unreadable(path: Path | str, error: Exception) -> InputError:
    """The message about a file that could not be read or decoded, by what was raised."""
    if isinstance(error, FileNotFoundError):
        return InputError(
            f'{path}: no such image.',
            'no such file',
            'the image that the annotation file names',
            'put the file there, or remove its entry from the annotation file',
        )
    if isinstance(error, OSError) and error.strerror:
        return InputError(
            f'{path}: cannot be read.',
            error.strerror,
            'a regular file that this account may read',
            'look at its rights and at the disk or the network behind it',
        )
    with open_image(path) as file:
        size, head = os.fstat(file.fileno()).st_size, file.read(8)
    return InputError(
        f'{path}: cannot be decoded as an image.',
        f'{size:,} bytes, beginning with {head!r}',
        'a complete PNG or JPEG',
        'copy the file again, or remove its entry from the annotation file',
    )


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep the decoders from printing what is reported here with the file's name."""
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        cv2.setLogLevel(level)


def _stored_size(file: BinaryIO) -> tuple[int, int]:
    """Width and height by the header; a PNG's in a fraction of Pillow's time."""
    head = file.read(24)
    if len(head) == 24 and head.startswith(PNG_START):
        _check_chunks(file)
        return struct.unpack('>2I', head[16:])
    file.seek(0)
    with quiet_decoders(), Image.open(io.BufferedReader(file)) as image:
        return image.size


def _check_chunks(file: BinaryIO) -> None:
    """Raise ValueError if a PNG ends before its last chunk: decoders trust the lengths it states.

    OpenCV reserves 2 GB for a chunk that says so, and libpng prints its complaint without a name.
    """
    size, place, kind = os.fstat(file.fileno()).st_size, len(PNG_SIGNATURE), b''
    while kind != b'IEND':
        file.seek(place)
        length, kind = struct.unpack('>I4s', file.read(8).ljust(8, b'\0'))
        place += length + 12
        if place > size:
            raise ValueError('cut off')


def _too_large(path: Path | str, found: str, max_pixels: int) -> InputError:
    return InputError(
        f'{path}: more than {max_pixels:,} pixels, too many to decode.',
        found,
        'a smaller image',
        'cut out or scale down what matters, or raise the limit: --max-pixels of predict.py, '
        'max_pixels of LoadCheckedImage',
    )
