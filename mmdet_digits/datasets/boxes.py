"""Boxes as COCO has them: x, y, w, h in pixels."""

import numpy as np


def paired_ious(bboxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) IoU of each box (N, 4) with the other one (N, 4) in the same row; 0 without an area."""
    a, b = np.asarray(bboxes, float), np.asarray(others, float)
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = (high - low).clip(min=0).prod(axis=1)
    union = a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
