"""COCO annotation files, read for what the offline tools need."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmdet_digits.categories import map_categories
from mmdet_digits.evaluation.files import read_json
from mmdet_digits.evaluation.functional.detections import Detections
from mmdet_digits.utils.errors import InputError

FORMAT = 'a COCO file with images, annotations and categories, as shown in data/README.md'


@dataclass(frozen=True, eq=False)
class Annotations:
    """The true digits of a split.

    Attributes:
        source: The file they came from.
        image_ids: Ids of the images (M,).
        file_names: File name of each image, in the same order.
        sizes: Width and height of each image in pixels (M, 2).
        truth: The boxes that count for the numbers, in the order of the file; scores are 1. Crowd
            and ignored ones do not count, nor those that ``DigitsDataset`` leaves out: under 1 px
            wide or high, or outside their image.
        boxes: All annotations as COCO has them, with ``digit`` (0 to 9) added.
    """

    source: str
    image_ids: np.ndarray
    file_names: list[str]
    sizes: np.ndarray
    truth: Detections
    boxes: list[dict]


def read_image_ids(path: Path | str) -> list[int]:
    """Read the ids of the images of a COCO file; it need not have any annotations.

    Raises:
        InputError: it has no images, or two of one id.
    """
    return [image['id'] for image in _images(_read(path, ('images',)), path)]


def read_annotations(path: Path | str) -> Annotations:
    """Read an annotation file; categories are mapped to digits by name.

    Raises:
        InputError: it is not a COCO file of digits, or it has no box.
    """
    coco = _read(path, ('images', 'annotations', 'categories'))
    images = _images(coco, path)
    category_ids = map_categories(coco['categories'], str(path))
    digit_of = {category_id: digit for digit, category_id in enumerate(category_ids)}
    row_of = {image['id']: row for row, image in enumerate(images)}
    _check_boxes(coco['annotations'], row_of, digit_of, path)
    boxes = [dict(box, digit=digit_of[box['category_id']]) for box in coco['annotations']]
    sizes = [(image['width'], image['height']) for image in images]
    counted = [box for box in boxes if _counts(box, *sizes[row_of[box['image_id']]])]
    if len(counted) < len(boxes):
        MMLogger.get_current_instance().info(
            f'{path}: {len(boxes) - len(counted):,} of {len(boxes):,} boxes do not count for the '
            'numbers (crowd, ignored, under 1 px, or outside their image)'
        )
    corners = np.array([box['bbox'] for box in counted], dtype=float).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    truth = Detections(
        [row_of[box['image_id']] for box in counted],
        corners,
        [box['digit'] for box in counted],
        np.ones(len(counted)),
        len(images),
    )
    names = [image['file_name'] for image in images]
    ids = np.array([image['id'] for image in images], dtype=np.int64)
    return Annotations(str(path), ids, names, np.array(sizes, dtype=float), truth, boxes)


def _read(path: Path | str, keys: tuple[str, ...]) -> dict:
    coco = read_json(path, FORMAT)
    found = coco if isinstance(coco, dict) else {}
    missing = [key for key in keys if not isinstance(found.get(key), list)]
    if missing:
        raise InputError(
            f'{path}: lacks {", ".join(missing)}.\n'
            f'  found:    {", ".join(found) or f"a {type(coco).__name__}"}\n'
            f'  expected: {FORMAT}\n  fix: give the annotation file, or convert the data again'
        )
    return coco


def _images(coco: dict, path: Path | str) -> list[dict]:
    keys = ('id', 'file_name', 'width', 'height')
    images = coco['images']
    broken = [
        n
        for n, image in enumerate(images)
        if any(key not in image for key in keys) or type(image['id']) is not int
    ]
    count = Counter(str(image.get('id')) for image in images)
    repeated = [image_id for image_id, times in count.items() if times > 1]
    if not images or broken or repeated:
        found = 'no image'
        if repeated:
            found = f'id {repeated[0]} {count[repeated[0]]} times'
        if broken:
            found = f'image {broken[0]}: {images[broken[0]]}'
        raise InputError(
            f'{path}: the images are not what they should be.\n  found:    {found}\n'
            f'  expected: images with {", ".join(keys)}, each id a whole number and there once\n'
            '  fix: convert the data again'
        )
    return images


def _check_boxes(boxes: list[dict], images: dict, categories: dict, path: Path | str) -> None:
    if not boxes:
        raise InputError(
            f'{path}: not one box in it, so there is nothing to compare with.\n'
            f'  found:    annotations is an empty list\n  expected: {FORMAT}\n'
            '  fix: give a split that has annotations (HW2 has none for its test images)'
        )
    for n, box in enumerate(boxes):
        problem = _problem(box, images, categories)
        if problem:
            raise InputError(
                f'{path}: annotation {n} is wrong.\n  found:    {problem}: {box}\n'
                '  expected: image_id of an image, category_id of a category, and bbox '
                '[x, y, w, h] in pixels\n  fix: convert the data again'
            )


def _problem(box: Any, images: dict, categories: dict) -> str | None:
    if box.get('image_id') not in images:
        return 'no such image_id'
    if box.get('category_id') not in categories:
        return 'no such category_id'
    bbox = box.get('bbox')
    if not isinstance(bbox, list) or len(bbox) != 4 or not np.isfinite(bbox).all():
        return 'bbox is not four finite numbers'
    return 'negative width or height' if min(bbox[2:]) < 0 else None


def _counts(box: dict, width: float, height: float) -> bool:
    """Whether ``DigitsDataset`` keeps a box and the numbers are made with it."""
    x, y, w, h = box['bbox']
    inside = min(x + w, width) > max(x, 0) and min(y + h, height) > max(y, 0)
    return not box.get('iscrowd') and not box.get('ignore') and w >= 1 and h >= 1 and inside
