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
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from mmdet_digits.errors import InputError

MAX_PIXELS = 100_000_000
PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
PNG_START = PNG_SIGNATURE + b'\0\0\0\rIHDR'
PNG_TIME = b'\0\0\0\x07tIME'
PNG_MODES = {0: 'L', 2: 'RGB'}
CV2_LOGGING = getattr(cv2.utils, 'logging', cv2)  # OpenCV 5 and 4
ORIENTATION = 274  # EXIF tag; 1 means as stored


@dataclass(frozen=True)
class ImageHeader:
    """What the header of an image file says.

    Args:
        stored_size: width and height in pixels, before it is turned as its EXIF tag says.
        format: Pillow's name of the format, e.g. ``'PNG'``.
        mode: Pillow's name of the pixel format, e.g. ``'RGB'``.
        deep: whether it has 16 bits per channel or more.
        orientation: its EXIF tag; 1 means as stored, 5 to 8 turned by 90 degrees.
    """

    stored_size: tuple[int, int]
    format: str
    mode: str
    deep: bool
    orientation: int

    @property
    def turned(self) -> bool:
        """Whether an EXIF tag has it shown turned or mirrored."""
        return 2 <= self.orientation <= 8


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
    level = CV2_LOGGING.getLogLevel()
    CV2_LOGGING.setLogLevel(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        CV2_LOGGING.setLogLevel(level)


def read_header(file: BinaryIO) -> ImageHeader:
    """Read what the header of an image says; the most ordinary PNGs in a third of Pillow's time.

    Raises:
        Exception: nearly any, from Pillow, for what is no image, or is damaged or cut off.
    """
    head, turn = file.read(64), 1
    if head.startswith(PNG_START):
        turn = orientation(_png_exif(file))
        size, mode = _plain_png(head)
        if mode:
            return ImageHeader(size, 'PNG', mode, False, turn)
    file.seek(0)
    with quiet_decoders(), Image.open(io.BufferedReader(file)) as image:
        if image.format in ('JPEG', 'MPO'):
            turn = orientation(image.info.get('exif', b''))
        elif image.format != 'PNG' and 'exif' in image.info:
            turn = image.getexif().get(ORIENTATION, 1)
        deep = image.mode[:1] in 'IF' or ';16' in str(image.tile)
        return ImageHeader(image.size, image.format, image.mode, deep, turn)


def _plain_png(head: bytes) -> tuple[tuple[int, int], str]:
    """Size and mode of a PNG of the most ordinary kind by its first 64 bytes; no mode of others.

    That is one of 8-bit RGB or grey, not interlaced, with nothing between its header and its pixels
    but the time of its last change, which SVHN's have.
    """
    timed = head[33:41] == PNG_TIME and zlib.crc32(head[37:48]) == int.from_bytes(head[48:52])
    if head[37:][19 * timed :][:4] != b'IDAT':
        return (0, 0), ''
    width, height, bits, colour, *methods, checksum = struct.unpack('>2I5BI', head[16:33])
    plain = bits == 8 and not any(methods) and width * height
    sound = zlib.crc32(head[12:29]) == checksum
    return (width, height), PNG_MODES.get(colour, '') if plain and sound else ''


def shown_size(path: Path | str, header: ImageHeader) -> tuple[int, int]:
    """Width and height of an image as :func:`decode` gives it.

    Of JPEGs and PNGs the header says it. Which others are turned is up to OpenCV: they are decoded.

    Raises:
        InputError: it would have to be decoded, and is too large for that.
    """
    width, height = header.stored_size
    if not header.turned:
        return width, height
    if header.format in ('JPEG', 'MPO', 'PNG'):
        return (height, width) if header.orientation >= 5 else (width, height)
    check_pixels(path, header.stored_size)
    return decode(Path(path).read_bytes()).shape[1::-1]


def _stored_size(file: BinaryIO) -> tuple[int, int]:
    """Width and height by the header; a PNG's in a fraction of Pillow's time, and as training."""
    head = file.read(24)
    if len(head) == 24 and head.startswith(PNG_START):
        _png_exif(file)
        return struct.unpack('>2I', head[16:])
    file.seek(0)
    return read_header(file).stored_size


def _png_exif(file: BinaryIO) -> bytes:
    """The EXIF block of a PNG. OpenCV obeys it behind the pixels too, where Pillow does not look.

    Every chunk is looked at, up to the last: decoders trust the lengths that they state. OpenCV
    reserves 2 GB for a chunk that says so, and libpng prints its complaint without a name.

    Raises:
        EOFError: the file ends before its last chunk.
    """
    size, place, kind, exif = file.seek(0, os.SEEK_END), len(PNG_SIGNATURE), b'', b''
    while kind != b'IEND':
        file.seek(place)
        length, kind = struct.unpack('>I4s', file.read(8).ljust(8, b'\0'))
        place += length + 12
        if place > size:
            raise EOFError('it was cut off')
        if kind == b'eXIf' and not exif:
            exif = file.read(length)
    return exif


def orientation(exif: bytes) -> int:
    """The orientation that an EXIF block tells, as OpenCV reads it; 1, as stored, by default."""
    block = exif.removeprefix(b'Exif\0\0')
    order = '<' if block.startswith(b'II') else '>'
    try:
        (start,) = struct.unpack_from(f'{order}I', block, 4)
        (count,) = struct.unpack_from(f'{order}H', block, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f'{order}HHIH', block, entry)
            if tag == ORIENTATION:
                return value
    except struct.error:  # the block ends early
        pass
    return 1


def _too_large(path: Path | str, found: str, max_pixels: int) -> InputError:
    return InputError(
        f'{path}: more than {max_pixels:,} pixels, too many to decode.',
        found,
        'a smaller image',
        'cut out or scale down what matters, or raise the limit: --max-pixels of predict.py, '
        'max_pixels of LoadCheckedImage',
    )
