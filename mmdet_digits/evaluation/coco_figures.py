"""COCO's box metrics of saved predictions, by pycocotools or by faster-coco-eval."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mmdet_digits.categories import DIGITS
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.predictions import Predictions

BACKENDS = ('pycocotools', 'faster-coco-eval')
MAX_DETECTIONS = (100, 300, 1000)
"""Detections per image and class, as mmdet's ``CocoMetric`` has them."""


def coco_figures(
    annotations: Annotations, predictions: Predictions, backend: str = 'pycocotools'
) -> dict[str, float]:
    """Compute what mmdet's ``CocoMetric`` reports, under its names but not rounded.

    Args:
        annotations: The true digits.
        predictions: The detections.
        backend: ``'pycocotools'``, the reference, or ``'faster-coco-eval'``, several times faster.

    Returns:
        ``coco/bbox_mAP``, ``coco/bbox_mAP_50``, ``_75``, ``_s``, ``_m``, ``_l`` (-1 where there is
        no such box), and ``coco/<digit>_precision`` for each digit that has a true box.
    """
    evaluation = _evaluate(annotations, predictions, backend)
    # precision: (IoU thresholds, recall levels, classes, areas, detections per image)
    precision = np.asarray(evaluation.eval['precision'])
    iou = np.round(evaluation.params.iouThrs, 2)
    figures = {
        'mAP': precision[..., 0, 0],
        'mAP_50': precision[iou == 0.5, ..., 0, -1],
        'mAP_75': precision[iou == 0.75, ..., 0, -1],
        'mAP_s': precision[..., 1, -1],
        'mAP_m': precision[..., 2, -1],
        'mAP_l': precision[..., 3, -1],
    }
    figures = {f'coco/bbox_{name}': _mean(values) for name, values in figures.items()}
    for digit, name in enumerate(DIGITS):
        values = precision[:, :, digit, 0, -1]
        if (values > -1).any():
            figures[f'coco/{name}_precision'] = _mean(values)
    return figures


def _evaluate(annotations: Annotations, predictions: Predictions, backend: str):
    if backend == 'pycocotools':
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as COCOeval
    with contextlib.redirect_stdout(None):  # both print their progress
        truth = COCO()
        truth.dataset = _digit_coco(annotations)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(predictions.records()), 'bbox')
        evaluation.params.maxDets = list(MAX_DETECTIONS)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def scored_boxes(boxes: Iterable[dict], category_ids: Mapping[int, int]) -> list[dict]:
    """Prepare annotations so that COCO's evaluation counts them right.

    Ids count from 1: the evaluation takes a match with the id 0 for no match. What is marked as
    ``ignore`` becomes a crowd: the evaluation knows no other box that may be found or missed. A
    missing ``area`` is that of the box.

    Args:
        boxes: the annotations.
        category_ids: the new category id of each old one; boxes of others get -1.
    """
    return [
        {
            'area': box['bbox'][2] * box['bbox'][3],
            **box,
            'id': n,
            'category_id': category_ids.get(box['category_id'], -1),
            'iscrowd': int(bool(box.get('iscrowd') or box.get('ignore'))),
        }
        for n, box in enumerate(boxes, start=1)
    ]


def _digit_coco(annotations: Annotations) -> dict:
    """The annotations with category ids 1 to 10."""
    ids = {box['category_id']: box['digit'] + 1 for box in annotations.boxes}
    return {
        'images': _image_entries(annotations.image_ids, annotations.sizes),
        'annotations': scored_boxes(annotations.boxes, ids),
        'categories': [{'id': n, 'name': name} for n, name in enumerate(DIGITS, start=1)],
    }


def _image_entries(image_ids: Sequence[int], sizes: np.ndarray) -> list[dict]:
    return [
        {'id': int(image_id), 'width': int(width), 'height': int(height)}
        for image_id, (width, height) in zip(image_ids, sizes, strict=True)
    ]


def _mean(precision: np.ndarray) -> float:
    """Average what there is; -1, as COCO has it, where there is nothing."""
    valid = precision[precision > -1]
    return float(valid.mean()) if valid.size else -1.0
