"""Where to read an image again: crops around the numbers that a first pass has found.

Boxes are xyxy in pixels of the image, crops (x1, y1, x2, y2) in whole pixels of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmdet_digits.assembly.grouping import group_boxes
from mmdet_digits.assembly.padded_boxes import box_heights
from mmdet_digits.boxes import areas

Found = Sequence[np.ndarray]
"""Boxes (N, 4), scores (N,) and labels (N,)."""


@dataclass(frozen=True)
class CropRules:
    """How crops are chosen.

    Args:
        share: height of the digits as a share of the crop's height.
        aspect: width of a crop by its height, that of the canvas it is resized to.
        score_thr: boxes from this score on count; where none has it, those from
            ``fallback_thr`` on.
        fallback_thr: see ``score_thr``.
        gap: digits this far apart, in heights of the higher one, belong to one number.
        most: crops of an image; those of the surest groups.
        min_cut: a crop that leaves less than this share of the image away is not worth a pass.
    """

    share: float = 0.66
    aspect: float = 2.0
    score_thr: float = 0.5
    fallback_thr: float = 0.3
    gap: float = 1.5
    most: int = 3
    min_cut: float = 0.2


def read_again(
    first: Sequence[Found],
    images: Sequence[np.ndarray],
    rules: CropRules,
    detect: Callable[[list[np.ndarray]], Sequence[Found]],
) -> list[Found]:
    """Look at images once more, at crops around what was found in them.

    Args:
        first: what was found in each image, boxes in its pixels.
        images: (H, W, 3) each.
        rules: how crops are chosen.
        detect: finds digits in images, boxes in pixels of each.

    Returns:
        What is found in each image after both passes.
    """
    crops = [
        plan_crops(boxes, scores, image.shape[1::-1], rules)
        for (boxes, scores, _), image in zip(first, images, strict=True)
    ]
    parts = [
        np.ascontiguousarray(image[y1:y2, x1:x2])
        for image, its_crops in zip(images, crops, strict=True)
        for x1, y1, x2, y2 in its_crops
    ]
    found = iter(detect(parts))
    again = [[moved(next(found), crop[:2]) for crop in its_crops] for its_crops in crops]
    return [merge_passes(*parts) for parts in zip(first, crops, again, strict=True)]


def moved(found: Found, corner: Sequence[int]) -> Found:
    """What was found in a crop that begins at a corner (x, y), in pixels of the whole image."""
    bboxes, scores, labels = found
    return bboxes + np.tile(corner, 2).astype(bboxes.dtype), scores, labels


def plan_crops(
    bboxes: np.ndarray, scores: np.ndarray, size: tuple[int, int], rules: CropRules
) -> np.ndarray:
    """Choose the crops of an image.

    Args:
        bboxes: what was found, (N, 4).
        scores: (N,).
        size: width and height of the image.
        rules: how.

    Returns:
        (M, 4) whole numbers, the surest first; none where nothing was found, or where the whole
        image is hardly more than the crop.
    """
    for threshold in (rules.score_thr, rules.fallback_thr):
        sure = scores >= threshold
        if sure.any():
            break
    bboxes, scores = bboxes[sure], scores[sure]
    groups = group_boxes(bboxes, (rules.gap, rules.gap))
    groups = sorted(groups, key=lambda group: (-scores[group].sum(), group[0]))[: rules.most]
    crops = [crop_around(bboxes[group], size, rules) for group in groups]
    crops = np.array(crops, dtype=int).reshape(-1, 4)
    return crops[areas(crops) <= (1 - rules.min_cut) * size[0] * size[1]]


def crop_around(
    bboxes: np.ndarray, size: tuple[int, int], rules: CropRules
) -> tuple[int, int, int, int]:
    """The crop around one number, moved or cut where it would leave the image.

    Args:
        bboxes: its digits, (N, 4).
        size: width and height of the image.
        rules: how.
    """
    low, high = bboxes[:, :2].min(0), bboxes[:, 2:].max(0)
    digit = float(np.median(box_heights(bboxes)))
    extent = high - low
    height = max(digit / rules.share, extent[1] + digit * (1 / rules.share - 1))
    width = max(rules.aspect * height, extent[0] + digit)  # room for a digit that was missed
    wished = np.maximum(np.ceil((width, height)), 1)
    wished = np.minimum(wished, size)
    start = np.clip(np.round((low + high - wished) / 2), 0, np.subtract(size, wished))
    return tuple(int(value) for value in (*start, *(start + wished)))


def merge_passes(
    first: Found, crops: np.ndarray, again: Sequence[Found]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put together what was found in an image and in crops of it; inside a crop the crop counts.

    Where crops overlap, a box counts in the first of them that has its centre.

    Args:
        first: boxes (N, 4), scores (N,) and labels (N,) of the whole image.
        crops: (M, 4).
        again: the same of each crop, boxes in pixels of the image.

    Returns:
        Boxes, scores and labels, by falling score.
    """
    kept = []
    for number, found in enumerate((first, *again), start=-1):
        own = owner_of(found[0], crops) == number
        kept.append([part[own] for part in found])
    bboxes, scores, labels = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    order = np.argsort(-scores, kind='stable')
    return bboxes[order], scores[order], labels[order]


def owner_of(bboxes: np.ndarray, crops: np.ndarray) -> np.ndarray:
    """Which is the first crop that has the centre of each box, (N,); -1 for none."""
    centres = (bboxes[:, None, :2] + bboxes[:, None, 2:]) / 2
    inside = ((centres >= crops[None, :, :2]) & (centres <= crops[None, :, 2:])).all(-1)
    if not len(crops):
        return np.full(len(bboxes), -1)
    return np.where(inside.any(1), inside.argmax(1), -1)
