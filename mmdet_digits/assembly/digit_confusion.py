"""Which digits are taken for which, over all images at once."""

from typing import NamedTuple

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.boxes import ious

NO_DIGIT = 10
"""Row of the detections where no digit is, and column of the digits that are missed."""


class ConfusedPair(NamedTuple):
    """A digit read as another one.

    Attributes:
        true: The true digit.
        read: The digit it was read as.
        count: How often.
        rate: Share of the true digit's boxes.
    """

    true: int
    read: int
    count: int
    rate: float


def digit_confusion(
    truth: Detections, detections: Detections, score_thr: float = 0.6, iou_thr: float = 0.5
) -> np.ndarray:
    """Count which digit each true digit was read as.

    System B's rule, with what it leaves out added: each true box takes the detection of highest
    IoU (of equal ones the better scored), whatever its digit, and is missed if that IoU is below
    ``iou_thr``. A detection that no true box has taken is an extra one.

    Args:
        truth: The true digits.
        detections: The detections of the same images.
        score_thr: Detections with a lower score do not count.
        iou_thr: Overlap from which a true box counts as found.

    Returns:
        Counts (11, 11): true digits in rows, read ones in columns. Column 10 has the missed
        digits, row 10 the extra detections; its last cell is 0.
    """
    scored = np.flatnonzero(detections.scores >= score_thr)
    pair_truth, pair_scored = same_image_pairs(truth.image_index, detections.image_index[scored])
    pair_found = scored[pair_scored]
    iou = ious(truth.bboxes[pair_truth], detections.bboxes[pair_found])
    order = np.lexsort((-detections.scores[pair_found], -iou, pair_truth))
    matched, first = np.unique(pair_truth[order], return_index=True)
    best = order[first]
    hit = iou[best] >= iou_thr
    counts = np.zeros((11, 11), dtype=np.int64)
    read_as = np.full(len(truth), NO_DIGIT)
    read_as[matched[hit]] = detections.labels[pair_found[best[hit]]]
    np.add.at(counts, (truth.labels, read_as), 1)
    extra = np.setdiff1d(scored, pair_found[best[hit]])
    np.add.at(counts, (NO_DIGIT, detections.labels[extra]), 1)
    return counts


def confusion_rates(counts: np.ndarray) -> np.ndarray:
    """Divide each row (11, 11) by its sum: shares of the true digit's boxes, 0 in empty rows.

    The last row has the shares of the extra detections by the digit they show.
    """
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def most_confused(counts: np.ndarray, limit: int = 10) -> list[ConfusedPair]:
    """List the most frequent confusions of one digit with another, most frequent first.

    Args:
        counts: Counts (11, 11) of :func:`digit_confusion`.
        limit: How many at most.
    """
    rates = confusion_rates(counts)
    wrong = counts[:NO_DIGIT, :NO_DIGIT] * (1 - np.eye(NO_DIGIT, dtype=np.int64))
    order = np.lexsort((-rates[:NO_DIGIT, :NO_DIGIT].ravel(), -wrong.ravel()))[:limit]
    pairs = [divmod(int(n), NO_DIGIT) for n in order if wrong.flat[n]]
    return [ConfusedPair(t, r, int(counts[t, r]), float(rates[t, r])) for t, r in pairs]


def same_image_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair every box with every other one of its image.

    Args:
        first: Image of each box of one kind (A,).
        second: Image of each box of the other kind (B,).

    Returns:
        Indices into ``first`` and into ``second`` (P,) each.
    """
    order = np.argsort(second, kind='stable')
    start = np.searchsorted(second[order], first, side='left')
    count = np.searchsorted(second[order], first, side='right') - start
    left = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count)
    return left, order[start[left] + within]
