"""COCO annotation files, read for what the offline tools need."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger

from mmdet_digits.assembly.coco_precision import ScoredBoxes
from mmdet_digits.assembly.detections import Detections
from mmdet_digits.boxes import corners
from mmdet_digits.coco.categories import map_categories
from mmdet_digits.coco.structure import FORMAT, check_fields, read_coco
from mmdet_digits.coco.values import read_values
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.predictions import Predictions
from mmdet_digits.files import read_json

MOST_OUTSIDE = 0.02  # share of boxes; a detector's lie inside its image
FRACTION = 2.0  # pixels


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
        boxes: All annotations, as COCO's figures count them; the images in the order of their ids.
    """

    source: str
    image_ids: np.ndarray
    file_names: list[str]
    sizes: np.ndarray
    truth: Detections
    boxes: ScoredBoxes

    def detections_of(self, predictions: Predictions) -> Detections:
        """Sort detections into the images; warn where they cannot be of these images.

        Raises:
            InputError: a detection is in none of the images.
        """
        detections = predictions.to_detections(self.image_ids, self.source)
        problem = misfit(detections, self.sizes)
        if problem:
            MMLogger.get_current_instance().warning(
                f'{predictions.source}: {problem}. It was probably made from other images than '
                f'those of {self.source}, or from them at another size'
            )
        return detections


def misfit(detections: Detections, sizes: np.ndarray) -> str | None:
    """Say why detections can hardly be of these images; None if they can.

    Args:
        detections: the detections.
        sizes: width and height of each image in pixels (M, 2).
    """
    if not len(detections):
        return None
    low, high = detections.bboxes[:, :2], detections.bboxes[:, 2:]
    outside = ((low >= sizes[detections.image_index]) | (high <= 0)).any(axis=1)
    if outside.mean() > MOST_OUTSIDE:
        return f'{outside.mean():.0%} of the {len(outside):,} boxes lie outside their images'
    if np.median((high - low).max(axis=1)) <= FRACTION:
        return (
            'most boxes are smaller than 2 px, as if they were fractions of the image instead of '
            'pixels'
        )
    return None


def read_image_ids(path: Path | str) -> list[int]:
    """Read the ids of the images of a COCO file; it need not have any annotations.

    Raises:
        InputError: it has no images, or they are not what they should be.
    """
    content = read_json(path, FORMAT)
    coco = read_values(content)[0] if isinstance(content, dict) else content
    check_fields(coco, path, ('images',))
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
    ids = np.array([image['id'] for image in images], dtype=np.int64)
    sizes = np.array([(image['width'], image['height']) for image in images], dtype=float)
    boxes = _scored_boxes(coco['annotations'], np.sort(ids), category_ids)
    rows = np.argsort(ids)[boxes.images]
    counted = _counted(boxes, sizes[rows])
    if not counted.all():
        log(
            f'{path}: {(~counted).sum():,} of {len(counted):,} boxes do not count for the '
            'numbers (crowd, ignored, under 1 px, or outside their image)'
        )
    labels, scores = boxes.labels[counted], boxes.scores[counted]
    bboxes = corners(boxes.bboxes[counted])
    truth = Detections(rows[counted], bboxes, labels, scores, len(images))
    names = [image['file_name'] for image in images]
    return Annotations(str(path), ids, names, sizes, truth, boxes)


def _scored_boxes(
    annotations: Sequence[dict], image_ids: np.ndarray, category_ids: Sequence[int]
) -> ScoredBoxes:
    digit_of = {category_id: digit for digit, category_id in enumerate(category_ids)}
    bboxes = np.array([box['bbox'] for box in annotations], dtype=float)
    return ScoredBoxes(
        images=np.searchsorted(image_ids, [box['image_id'] for box in annotations]),
        labels=np.array([digit_of[box['category_id']] for box in annotations]),
        bboxes=bboxes,
        scores=np.ones(len(bboxes)),
        areas=np.array([box['area'] for box in annotations], dtype=float),
        crowd=np.array([is_crowd(box) for box in annotations]),
    )


def is_crowd(box: dict) -> bool:
    """Whether an annotation is a crowd to COCO's evaluation, which knows no ``ignore``."""
    return bool(box.get('iscrowd') or box.get('ignore'))


def _nothing_in(path: Path | str, name: str, fix: str) -> InputError:
    return InputError(f'{path}: no {name} in it.', f'{name} is an empty list', FORMAT, fix)


def _counted(boxes: ScoredBoxes, sizes: np.ndarray) -> np.ndarray:
    """Which boxes ``DigitsDataset`` keeps and the numbers are made with (N,)."""
    low, size = boxes.bboxes[:, :2], boxes.bboxes[:, 2:]
    inside = (np.minimum(low + size, sizes) > np.maximum(low, 0)).all(axis=1)
    return ~boxes.crowd & (size >= 1).all(axis=1) & inside
