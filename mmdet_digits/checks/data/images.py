"""What there is to know of an image file: from its header alone, or with every pixel decoded."""

import contextlib
import hashlib
import io
import os
import posixpath
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmdet_digits import image_reading
from mmdet_digits.checks.data.structure import CocoTable, report
from mmdet_digits.checks.finding import Check, Status
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


# Checks of the image files themselves: can they be read, are they what the JSON says.

SAME_FORMAT = {'MPO': 'JPEG'}  # what phones write as .jpg


def check_image_files(table: CocoTable, facts: Mapping[int, ImageFacts]) -> list[Check]:
    """Every check of this module.

    Args:
        table: the COCO file.
        facts: what each image file is, by the row of its entry.
    """
    return [
        unreadable_images(table, facts),
        image_sizes(table, facts),
        misnamed_images(table, facts),
        pixel_formats(table, facts),
        turned_images(table, facts),
        *([images_twice(table, facts)] if any(fact.digest for fact in facts.values()) else []),
    ]


def unreadable_images(table: CocoTable, facts: Mapping[int, ImageFacts]) -> Check:
    """Files that are empty, cut off, damaged or no image at all."""
    return report(
        'unreadable images',
        _cases(table, {row: fact.problem for row, fact in facts.items() if fact.problem}),
        'complete PNG or JPEG files',
        'copy the files again, or remove their entries',
        among=f'{len(facts):,} images',
        repair='removes them',
    )


def image_sizes(table: CocoTable, facts: Mapping[int, ImageFacts]) -> Check:
    """Files of another size than their entry says, so that the boxes lie elsewhere."""
    cases = {}
    for row, fact in facts.items():
        stated = tuple(table.sizes[row].tolist())
        if not fact.problem and 0 not in stated and stated != fact.size:
            turned = ' (turned by its EXIF tag)' if stated == fact.stored_size else ''
            cases[row] = '{} x {} in the JSON, {} x {} in the file{}'.format(
                *stated, *fact.size, turned
            )
    return report(
        'image sizes',
        _cases(table, cases),
        'width and height of the file',
        'restore the original images, or correct width, height and the boxes',
        repair='scales the boxes with their image, or corrects the size, as the boxes prove',
    )


def misnamed_images(table: CocoTable, facts: Mapping[int, ImageFacts]) -> Check:
    """Files whose content is of another format than their suffix says."""
    known = Image.registered_extensions()
    cases = {}
    for row, fact in facts.items():
        suffix = posixpath.splitext(table.file_names[row])[1].lower()
        found = SAME_FORMAT.get(fact.format, fact.format)
        if found and known.get(suffix, found) != found:
            cases[row] = f'holds {found}'
    return report(
        'misnamed images',
        _cases(table, cases),
        'a suffix that says what is in the file; training reads it all the same',
        'rename the files and their entries',
        Status.WARN,
    )


def pixel_formats(table: CocoTable, facts: Mapping[int, ImageFacts]) -> Check:
    """Files that are not plain 8-bit grey or RGB."""
    found = {row: oddity(fact) for row, fact in facts.items() if not fact.problem}
    return report(
        'pixel formats',
        _cases(table, {row: oddity for row, oddity in found.items() if oddity}),
        '8-bit RGB or grey. Training takes the upper 8 of 16 bits, ignores alpha, and turns '
        'palettes and CMYK into RGB',
        'look at them as training does',
        Status.WARN,
        repair='writes copies in 8-bit RGB',
    )


def oddity(fact: ImageFacts) -> str:
    """What is unusual about the pixels of a file; empty where nothing is."""
    if fact.deep:
        return '16 bits or more'
    if fact.mode in ('RGBA', 'LA', 'PA', 'RGBa', 'La'):
        return 'alpha channel'
    return {'P': 'palette'}.get(fact.mode, '' if fact.mode in ('RGB', 'L', '1') else fact.mode)


def turned_images(table: CocoTable, facts: Mapping[int, ImageFacts]) -> Check:
    """Files with an EXIF tag that some programs follow and some do not."""
    return report(
        'images turned by an EXIF tag',
        _cases(table, {row: fact.format for row, fact in facts.items() if fact.turned}),
        'no tag: training turns PNG and JPEG as it says, labelling tools may not have done so',
        'check that the boxes fit the turned image',
        Status.WARN,
        repair='writes copies without the tag',
    )


def images_twice(table: CocoTable, facts: Mapping[int, ImageFacts]) -> Check:
    """Files of one split that hold the same pixels."""
    rows = defaultdict(list)
    for row, fact in facts.items():
        if fact.digest:
            rows[fact.digest].append(row)
    cases = [' = '.join(table.images(np.array(same))) for same in rows.values() if len(same) > 1]
    return report(
        'same image twice',
        cases,
        'every image once',
        'remove one of each, and see that their boxes agree',
        Status.WARN,
    )


def same_in_both(
    first: Mapping[int, ImageFacts], second: Mapping[int, ImageFacts]
) -> list[tuple[int, int]]:
    """Rows of the images of two splits that hold the same pixels."""
    row_of = {fact.digest: row for row, fact in first.items() if fact.digest}
    return [(row_of[f.digest], row) for row, f in second.items() if f.digest in row_of]


def _cases(table: CocoTable, found: Mapping[int, str]) -> list[str]:
    images = table.images(np.array(list(found), dtype=int))
    return [f'{image}: {text}' for image, text in zip(images, found.values(), strict=True)]
