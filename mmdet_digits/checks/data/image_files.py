"""Checks of the image files themselves: can they be read, are they what the JSON says."""

import posixpath
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from PIL import Image

from mmdet_digits.checks.data.cases import report
from mmdet_digits.checks.data.images import ImageFacts
from mmdet_digits.checks.data.table import CocoTable
from mmdet_digits.checks.finding import Check, Status

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
