"""What there is to know of an image file: from its header alone, or with every pixel decoded."""

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from mmdet_digits import image_reading
from mmdet_digits.errors import InputError
from mmdet_digits.image_reading import (
    MAX_PIXELS,
    ImageHeader,
    check_pixels,
    decode,
    open_image,
    quiet_decoders,
    shown_size,
)


@dataclass(frozen=True)
class ImageFacts:
    """What one image file is.

    Args:
        problem: why it cannot be read; empty where it can. The rest is empty then.
        size: width and height in pixels, as training sees it.
        stored_size: width and height before it is turned as its EXIF tag says.
        format: Pillow's name of the format, e.g. ``'PNG'``.
        mode: Pillow's name of the pixel format, e.g. ``'RGB'``.
        deep: whether it has 16 bits per channel or more.
        turned: whether an EXIF tag has it shown turned or mirrored.
        digest: hash of size and pixels as training sees them; None where they were not decoded.
    """

    problem: str = ''
    size: tuple[int, int] = (0, 0)
    stored_size: tuple[int, int] = (0, 0)
    format: str = ''
    mode: str = ''
    deep: bool = False
    turned: bool = False
    digest: bytes | None = None


def read_images(
    paths: Sequence[Path | str],
    decode: bool,
    workers: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[ImageFacts]:
    """Read many images.

    Args:
        paths: the files.
        decode: decode every pixel; without it, only headers are read.
        workers: threads that decode (None: one per CPU). Decoders free Python's lock.
        advance: called after each image.
    """
    facts = []
    with quiet_decoders(), contextlib.ExitStack() as stack:
        found = map(read_header, paths)
        if decode:
            pool = ThreadPoolExecutor(workers or os.cpu_count())
            stack.callback(pool.shutdown, cancel_futures=True)  # at once when interrupted
            found = pool.map(read_pixels, paths)
        for fact in found:
            facts.append(fact)
            advance()
    return facts


def read_header(path: Path | str) -> ImageFacts:
    """Read the header of an image. Never raises."""
    try:
        with open_image(path) as file:
            return _facts(path, image_reading.read_header(file))
    except Exception as error:  # Pillow raises nearly anything for a broken file
        return ImageFacts(problem=_problem(path, error))


def read_pixels(path: Path | str) -> ImageFacts:
    """Read an image whole, as training does, and more strictly. Never raises.

    OpenCV, which training reads images with, fills up a JPEG that was cut off; Pillow does not.
    """
    try:
        with open_image(path) as file:
            data = file.read()
        header = _facts(path, image_reading.read_header(io.BytesIO(data)))
        with Image.open(io.BytesIO(data)) as image:
            image.verify() if image.format == 'PNG' else image.load()
        pixels = decode(data)
        size = pixels.shape[1], pixels.shape[0]
        digest = hashlib.sha256(pixels)  # which processors have instructions for
        digest.update(b'%d x %d' % size)
        return ImageFacts(**vars(header) | {'size': size, 'digest': digest.digest()})
    except Exception as error:  # as above, and cv2.error
        return ImageFacts(problem=_problem(path, error))


def encode_plainly(path: Path, as_shown: bool = True) -> bytes:
    """An image as a PNG with 8-bit RGB pixels, as training sees it.

    Args:
        path: the file.
        as_shown: turned as its EXIF tag says, which is how training sees it.
    """
    flags = cv2.IMREAD_COLOR | (0 if as_shown else cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.imencode('.png', decode(Path(path).read_bytes(), flags))[1].tobytes()


def _facts(path: Path | str, header: ImageHeader) -> ImageFacts:
    check_pixels(path, header.stored_size)
    return ImageFacts(
        size=shown_size(path, header),
        stored_size=header.stored_size,
        format=header.format,
        mode=header.mode,
        deep=header.deep,
        turned=header.turned,
    )


def _problem(path: Path | str, error: Exception) -> str:
    """Why a file could not be read, with what it begins with."""
    try:
        with open_image(path) as file:
            head = file.read(12)
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as unreadable:
        return f'cannot be opened ({getattr(unreadable, "strerror", None) or unreadable})'
    if not size:
        return '0 bytes'
    if isinstance(error, InputError | Image.DecompressionBombError):
        found = getattr(error, 'found', error)
        return f'more than {MAX_PIXELS:,} pixels, too many to decode ({found})'
    if isinstance(error, Image.UnidentifiedImageError):
        return f'{size:,} bytes that are no image, beginning with {head!r}'
    return (
        f'{size:,} bytes, cut off or damaged ({str(error).splitlines()[0] if str(error) else ""})'
    )
