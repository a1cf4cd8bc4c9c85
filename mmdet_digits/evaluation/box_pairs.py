"""Pairs of a detection and a true box, to compare where their edges lie."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmdet_digits.assembly.matching import box_ious
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.predictions import Predictions


def pair_boxes(
    predictions: Predictions, annotations: Annotations, score_thr: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pair detections with true boxes of the same digit so that the overlap is largest in all.

    Any overlap will do: boxes of different styles may share little.

    Args:
        predictions: The detections.
        annotations: The truth.
        score_thr: The least score of a detection.

    Returns:
        The boxes (K, 4) of the detections, and those of the truth in the same order: x, y, w, h.

    Raises:
        InputError: A detection is in an image that the annotations do not have.
    """
    found = annotations.detections_of(predictions)
    truth, pairs = annotations.truth, []
    good = found.scores >= score_thr
    for image in np.intersect1d(found.image_index[good], truth.image_index):
        ours, theirs = found.by_image[image], truth.by_image[image]
        ours = ours[good[ours]]
        ious = box_ious(found.bboxes[ours], truth.bboxes[theirs])
        ious *= found.labels[ours, None] == truth.labels[None, theirs]
        rows, columns = linear_sum_assignment(-ious)
        fit = ious[rows, columns] > 0
        pairs += zip(ours[rows[fit]], theirs[columns[fit]], strict=True)
    ours, theirs = np.array(pairs, int).reshape(-1, 2).T
    return _with_sizes(found.bboxes[ours]), _with_sizes(truth.bboxes[theirs])


def _with_sizes(corners: np.ndarray) -> np.ndarray:
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
