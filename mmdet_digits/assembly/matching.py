"""Matching of detections to ground truth, one to one."""

import numpy as np

from mmdet_digits.boxes import ious


def match_greedily(
    bboxes: np.ndarray,
    labels: np.ndarray,
    gt_bboxes: np.ndarray,
    gt_labels: np.ndarray,
    iou_thr: float = 0.5,
) -> np.ndarray:
    """Give each detection, in the order given, the first ground truth that fits and is still free.

    It fits if the classes are equal and the IoU is at least ``iou_thr``. This is how system A
    counts; COCO instead gives a detection the ground truth with the highest IoU.

    Args:
        bboxes: Detections (N, 4), xyxy in pixels.
        labels: Their classes (N,).
        gt_bboxes: Ground truth (M, 4), xyxy in the same pixels.
        gt_labels: Its classes (M,).
        iou_thr: The least IoU of a match.

    Returns:
        For each detection the index of its ground truth (N,), -1 where it has none.
    """
    fits = box_ious(bboxes, gt_bboxes) >= iou_thr
    fits &= np.asarray(labels).reshape(-1, 1) == np.asarray(gt_labels).reshape(1, -1)
    matches = np.full(len(fits), -1)
    for row in np.flatnonzero(fits.any(axis=1)):
        if fits[row].any():
            matches[row] = fits[row].argmax()
            fits[:, matches[row]] = False
    return matches


def box_ious(bboxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoU of each box (N, 4) with each other (M, 4) as (N, M); 0 without an area."""
    a = np.asarray(bboxes, dtype=float).reshape(-1, 1, 4)
    b = np.asarray(others, dtype=float).reshape(1, -1, 4)
    return ious(a, b)


def precision_recall_f1(matched: int, predicted: int, actual: int) -> dict[str, float]:
    """Return precision, recall and their harmonic mean, each 0 where it would be 0 / 0.

    Args:
        matched: Detections with a ground truth.
        predicted: All detections.
        actual: All ground truth.
    """
    return {
        'precision': matched / predicted if predicted else 0.0,
        'recall': matched / actual if actual else 0.0,
        'f1': 2 * matched / (predicted + actual) if predicted + actual else 0.0,
    }
