"""COCO files as plain dictionaries: splitting, counting and writing them.

Nothing here needs torch or mmdet, so that the tools that prepare data start at once.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdet_digits.coco.categories import DIGITS, map_categories
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_outputs, write_file

#: The categories of HW2: ids 1..10 are the digits 0..9.
CATEGORIES = [{'id': label + 1, 'name': name} for label, name in enumerate(DIGITS)]


@dataclass(frozen=True)
class CocoCounts:
    """What a COCO file of digits holds.

    Args:
        images: number of images.
        boxes: number of boxes.
        digits: boxes of each digit, 0 to 9.
        lengths: number of images per number of boxes, in ascending order.
    """

    images: int
    boxes: int
    digits: tuple[int, ...]
    lengths: dict[int, int]


def num_images(amount: str, total: int) -> int:
    """Turn ``'200'`` (images) or ``'0.1'`` (a fraction) into a number of images.

    Args:
        amount: as it was typed. A fraction is written with a point.
        total: images to take from.

    Raises:
        InputError: it is neither, or gives no image at all, or every one.
    """
    try:
        count = int(amount) if '.' not in amount else round(float(amount) * total)
    except (ValueError, OverflowError):
        count = None
    if count is None or not 0 < count < total:
        raise InputError(
            f'{amount} of {total} images: not an amount that can be taken.',
            amount,
            'a number of images, e.g. 200, or a fraction with a point, e.g. 0.1, that takes at '
            'least one image and leaves at least one',
            'ask for another amount',
        )
    return count


def split_coco(coco: dict, counts: Mapping[str, int], seed: int) -> dict[str, dict]:
    """Split a COCO dictionary by image, at random.

    Args:
        coco: a COCO dictionary; not changed.
        counts: number of images per split, except ``'train'``, which gets the rest. The images of a
            split do not depend on the splits that follow it.
        seed: not negative; the same seed gives the same splits.

    Returns:
        A COCO dictionary per split, ``'train'`` first; images and boxes keep their order and ids.

    Raises:
        InputError: no image would be left for ``'train'``, or the seed is negative.
    """
    total, asked = len(coco['images']), sum(counts.values())
    if asked >= total:
        wanted = ' and '.join(f'{count} for {split}' for split, count in counts.items())
        raise InputError(
            f'{wanted} leave none of {total} images for train.',
            f'{asked} of {total} asked for',
            'at least one image left for train',
            'ask for fewer',
        )
    if seed < 0:
        raise InputError(
            f'The seed is {seed}.', str(seed), 'a whole number, 0 or more', 'give another --seed'
        )
    order = np.random.default_rng(seed).permutation(total)
    ends = np.cumsum(list(counts.values()))
    *parts, rest = np.split(order, ends)
    chosen = {'train': rest, **dict(zip(counts, parts, strict=True))}
    return {split: _subset(coco, sorted(indices)) for split, indices in chosen.items()}


def _subset(coco: dict, indices: list[int]) -> dict:
    images = [coco['images'][index] for index in indices]
    ids = {image['id'] for image in images}
    annotations = [box for box in coco['annotations'] if box['image_id'] in ids]
    return coco | {'images': images, 'annotations': annotations}


def number_images(paths: Sequence[Path]) -> list[int]:
    """Give each image an id.

    Args:
        paths: the images.

    Returns:
        The numbers that the file stems are, as in HW2's test set. If one stem is no number, or
        two are the same: 1 to M, in the order given.
    """
    stems = [path.stem for path in paths]
    if all(re.fullmatch('[0-9]{1,18}', stem) for stem in stems):
        ids = [int(stem) for stem in stems]
        if len(set(ids)) == len(ids):
            return ids
    return list(range(1, len(paths) + 1))


def unlabelled_coco(paths: Sequence[Path], sizes: Iterable[tuple[int, int]]) -> dict:
    """Images without labels as a COCO dictionary, under the ids that their names say.

    Args:
        paths: the images.
        sizes: width and height of each in pixels.
    """
    images = [
        dict(id=image_id, file_name=path.name, width=width, height=height)
        for image_id, path, (width, height) in zip(number_images(paths), paths, sizes, strict=True)
    ]
    return dict(images=images, annotations=[], categories=CATEGORIES)


def count_coco(coco: dict, path: Path) -> CocoCounts:
    """Count the digits and the number lengths of a COCO dictionary.

    Args:
        coco: a COCO dictionary whose categories are named as the digits.
        path: its path, for the message.

    Raises:
        InputError: its categories are not the ten digits.
    """
    of_category = Counter(box['category_id'] for box in coco['annotations'])
    of_image = Counter(box['image_id'] for box in coco['annotations'])
    lengths = Counter(of_image[image['id']] for image in coco['images'])
    return CocoCounts(
        images=len(coco['images']),
        boxes=len(coco['annotations']),
        digits=tuple(of_category[i] for i in map_categories(coco['categories'], str(path))),
        lengths=dict(sorted(lengths.items())),
    )


def write_json(path: Path, content: dict, overwrite: bool = False) -> None:
    """Write a JSON file so that it is there whole or not at all.

    Raises:
        InputError: the file exists and ``overwrite`` is not set, or cannot be written.
    """
    check_outputs([path], overwrite)
    write_file(path, json.dumps(content) + '\n')
