"""COCO annotation files, read for what the offline tools need."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger

from mmdet_digits.categories import map_categories
from mmdet_digits.coco_structure import FORMAT, check_structure, read_coco
from mmdet_digits.coco_values import read_values
from mmdet_digits.evaluation.functional.detections import Detections
from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import read_json


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
        InputError: it has no images, or they are not what they should be.
    """
    content = read_json(path, FORMAT)
    coco = read_values(content)[0] if isinstance(content, dict) else content
    check_structure(coco, path, ('images',))
    images = coco['images']
    if not images:
        raise _nothing_in(path, 'images', 'give the annotation file of the images')
    return [image['id'] for image in images]


def read_annotations(path: Path | str, ignore_classes: Sequence[str] = ()) -> Annotations:
    """Read an annotation file; categories are mapped to digits by name.

    Args:
        path: the file.
        ignore_classes: names of categories to leave out, with their boxes.

    Raises:
        InputError: it is not a COCO file of digits, or it has no box.
    """
    log = MMLogger.get_current_instance().info
    coco = read_coco(path, ignore_classes=ignore_classes, say=log)
    category_ids = map_categories(coco['categories'], str(path))
    images = coco['images']
    if not coco['annotations']:
        fix = 'give a split that has annotations (HW2 has none for its test images)'
        raise _nothing_in(path, 'annotations', fix)
    digit_of = {category_id: digit for digit, category_id in enumerate(category_ids)}
    row_of = {image['id']: row for row, image in enumerate(images)}
    boxes = [dict(box, digit=digit_of[box['category_id']]) for box in coco['annotations']]
    sizes = [(image['width'], image['height']) for image in images]
    counted = [box for box in boxes if _counts(box, *sizes[row_of[box['image_id']]])]
    if len(counted) < len(boxes):
        log(
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


def _nothing_in(path: Path | str, name: str, fix: str) -> InputError:
    return InputError(f'{path}: no {name} in it.', f'{name} is an empty list', FORMAT, fix)


def _counts(box: dict, width: float, height: float) -> bool:
    """Whether ``DigitsDataset`` keeps a box and the numbers are made with it."""
    x, y, w, h = box['bbox']
    inside = min(x + w, width) > max(x, 0) and min(y + h, height) > max(y, 0)
    return not box.get('iscrowd') and not box.get('ignore') and w >= 1 and h >= 1 and inside
