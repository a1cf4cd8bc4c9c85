"""COCO's box precision of many images at once, on arrays: what pycocotools computes one by one.

Source: ``evaluateImg`` and ``accumulate`` of pycocotools 2.0.11, whose figures these equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IOU_THRS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = {'all': (0, 1e10), 's': (0, 32**2), 'm': (32**2, 96**2), 'l': (96**2, 1e10)}
MAX_PAIRS = 1 << 20  # compared in one step: bounds its memory


@dataclass(frozen=True, eq=False)
class ScoredBoxes:
    """Boxes of many images, in the order of their file.

    Attributes:
        images: the image of each (N,), whose numbers increase as the ids of the images do.
        labels: the class of each (N,), from 0.
        bboxes: ``[x, y, w, h]`` in pixels (N, 4).
        scores: of detections (N,).
        areas: in pixels (N,).
        crowd: whether a true box may be found any number of times or not at all (N,).
    """

    images: np.ndarray
    labels: np.ndarray
    bboxes: np.ndarray
    scores: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray

    def groups(self, num_classes: int) -> np.ndarray:
        """One number for each image and class (N,): only boxes that share it are compared."""
        return self.images.astype(np.int64) * num_classes + self.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: np.ndarray) -> 'ScoredBoxes':
        return ScoredBoxes(*(values[rows] for values in vars(self).values()))


def coco_precision(
    truth: ScoredBoxes, found: ScoredBoxes, num_classes: int, max_dets: Sequence[int]
) -> dict[tuple[str, int], np.ndarray]:
    """Compute the precision at each IoU threshold and recall level.

    Args:
        truth: the true boxes.
        found: the detections.
        num_classes: number of classes K.
        max_dets: how many detections of an image and class count, the best-scored ones.

    Returns:
        An array (10, 101, K) for each of :data:`AREAS` with each of ``max_dets``; -1 where a class
        has no true box.
    """
    truth = truth[np.argsort(truth.groups(num_classes), kind='stable')]
    order = np.lexsort((-found.scores, found.groups(num_classes)))
    places = _places_in_groups(found.groups(num_classes)[order])
    found, places = found[order[places < max(max_dets)]], places[places < max(max_dets)]
    pairs = _overlapping(truth, found, num_classes)
    best_first = np.argsort(-found.scores, kind='stable')
    tables = {}
    for name, (low, high) in AREAS.items():
        ignored = truth.crowd | (truth.areas < low) | (truth.areas > high)
        match = _match(pairs, places, ignored, truth.crowd)
        outside = (found.areas < low) | (found.areas > high)
        counts = np.where(match >= 0, ~np.append(ignored, True)[match], ~outside)
        for limit in max_dets:
            table = tables[name, limit] = np.full((len(IOU_THRS), len(RECALLS), num_classes), -1.0)
            for label in np.unique(truth.labels[~ignored]):
                rows = best_first[(found.labels == label)[best_first]]
                rows = rows[places[rows] < limit]
                total = np.count_nonzero(truth.labels[~ignored] == label)
                table[..., label] = _precision(match[:, rows] >= 0, counts[:, rows], total)
    return tables


def _places_in_groups(groups: np.ndarray) -> np.ndarray:
    """The place of each entry among those of its group, from 0; the groups are sorted."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)


def _overlapping(
    truth: ScoredBoxes, found: ScoredBoxes, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of a detection and a true box of its image and class with an IoU that may count.

    Returns:
        Their rows in ``found``, their rows in ``truth``, and their IoUs, (P,) each.
    """
    ours, theirs = found.groups(num_classes), truth.groups(num_classes)
    first, end = (np.searchsorted(theirs, ours, side) for side in ('left', 'right'))
    total = np.cumsum(end - first)
    kept = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
    start = 0
    while start < len(ours):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + MAX_PAIRS, 'right')))
        counts = (end - first)[start:stop]
        d = np.repeat(np.arange(start, stop), counts)
        before = total[start:stop] - counts - done
        g = np.arange(len(d)) + np.repeat(first[start:stop] - before, counts)
        iou = _ious(found.bboxes[d], truth.bboxes[g], truth.crowd[g])
        near = iou >= IOU_THRS[0]
        kept.append((d[near], g[near], iou[near]))
        start = stop
    return tuple(map(np.concatenate, zip(*kept, strict=True)))


def _ious(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU of each pair (P,), with a crowd the share of the detection, to pycocotools' last bit."""
    low = np.maximum(found[:, :2], truth[:, :2])
    high = np.minimum(found[:, :2] + found[:, 2:], truth[:, :2] + truth[:, 2:])
    both = (high - low).clip(min=0).prod(axis=1)
    area, true_area = found[:, 2:].prod(axis=1), truth[:, 2:].prod(axis=1)
    union = np.where(crowd, area, area + true_area - both)
    return np.divide(both, union, out=np.zeros(len(both)), where=both > 0)


def _match(
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    places: np.ndarray,
    ignored: np.ndarray,
    crowd: np.ndarray,
) -> np.ndarray:
    """Give each detection, best first, the true box that it overlaps most of those still free.

    Boxes that are ignored are taken only where no other fits. All images take a step at once: the
    first detection of each, then the second, and so on.

    Returns:
        The true box of each detection at each IoU threshold (10, N), -1 for none.
    """
    d, g, iou = pairs
    order = np.lexsort((g, iou, ~ignored[g], d, places[d]))  # of a detection's, the best is last
    d, g, iou = d[order], g[order], iou[order]
    match = np.full((len(IOU_THRS), len(places)), -1)
    taken = np.zeros((len(IOU_THRS), len(ignored)), dtype=bool)
    steps = np.flatnonzero(np.diff(places[d])) + 1
    for step in np.split(np.arange(len(d)), steps):
        fits = (iou[step] >= IOU_THRS[:, None]) & ~(taken[:, g[step]] & ~crowd[g[step]])
        threshold, pair = np.nonzero(fits)
        match[threshold, d[step][pair]] = g[step][pair]  # the last one of equal places stays
        threshold, at = np.nonzero(match[:, d[step]] >= 0)
        taken[threshold, match[threshold, d[step][at]]] = True
    return match


def _precision(matched: np.ndarray, counts: np.ndarray, total: int) -> np.ndarray:
    """Precision (10, 101) at the recall levels; no lower than at any higher recall.

    Args:
        matched: which detections have a true box, best first (10, N).
        counts: which are right or wrong, and not left out (10, N).
        total: how many true boxes there are.
    """
    right, wrong = (np.cumsum(which & counts, axis=1, dtype=float) for which in (matched, ~matched))
    precision = right / (right + wrong + np.spacing(1))
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    highest = np.pad(highest, ((0, 0), (0, 1)))  # 0 for a recall that is not reached
    reached = (np.searchsorted(recall, RECALLS) for recall in right / total)
    return np.stack([row[at] for row, at in zip(highest, reached, strict=True)])
