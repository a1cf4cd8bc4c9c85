"""COCO's box metrics of saved predictions, as pycocotools computes them."""

import numpy as np

from mmdet_digits.assembly.coco_precision import (
    IOU_THRS,
    ScoredBoxes,
    coco_precision,
)
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.predictions import Predictions

FEWER, MOST = 100, 1000
"""Detections per image and class, of mAP and of the other figures, as mmdet has them."""


def coco_figures(annotations: Annotations, predictions: Predictions) -> dict[str, float]:
    """Compute what mmdet's ``CocoMetric`` reports, under its names but not rounded.

    Args:
        annotations: The true digits.
        predictions: The detections.

    Returns:
        ``coco/bbox_mAP``, ``coco/bbox_mAP_50``, ``_75``, ``_s``, ``_m``, ``_l`` (-1 where there is
        no such box), and ``coco/<digit>_precision`` for each digit that has a true box.
    """
    found = _scored(annotations, predictions)
    tables = coco_precision(annotations.boxes, found, len(DIGITS), (FEWER, MOST))
    every = tables['all', MOST]  # (IoU thresholds, recall levels, classes)
    iou = np.round(IOU_THRS, 2)
    figures = {
        'mAP': tables['all', FEWER],
        'mAP_50': every[iou == 0.5],
        'mAP_75': every[iou == 0.75],
        **{f'mAP_{area}': tables[area, MOST] for area in 'sml'},
    }
    figures = {f'coco/bbox_{name}': _mean(values) for name, values in figures.items()}
    for digit, name in enumerate(DIGITS):
        if (every[..., digit] > -1).any():
            figures[f'coco/{name}_precision'] = _mean(every[..., digit])
    return figures


def _scored(annotations: Annotations, predictions: Predictions) -> ScoredBoxes:
    return ScoredBoxes(
        images=np.searchsorted(np.sort(annotations.image_ids), predictions.image_ids),
        labels=predictions.labels,
        bboxes=predictions.bboxes,
        scores=predictions.scores,
        areas=predictions.bboxes[:, 2:].prod(axis=1),
        crowd=np.zeros(len(predictions), dtype=bool),
    )


def _mean(precision: np.ndarray) -> float:
    """Average what there is; -1, as COCO has it, where there is nothing."""
    valid = precision[precision > -1]
    return float(valid.mean()) if valid.size else -1.0
