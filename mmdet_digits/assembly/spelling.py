"""Which detections of an image are the digits of the number that is known for it.

Images whose number is known, but not where its digits are, so get boxes to train on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import Numbers, read_digits
from mmdet_digits.assembly.padded_boxes import box_heights, pairwise_overlaps

MIN_SIDE = 1.0
"""Pixels; smaller boxes are left out in training."""


class Verdict(Enum):
    """What becomes of an image."""

    AS_READ = 'kept as read'
    SPELLED = 'kept by spelling'
    NO_NUMBER = 'rejected: no number given'
    UNREADABLE = 'rejected: unreadable image'
    NO_DETECTION = 'rejected: no detection'
    CANNOT_SPELL = 'rejected: cannot spell'
    IMPLAUSIBLE = 'rejected: implausible boxes'
    LOW_SCORE = 'rejected: low score'

    @property
    def kept(self) -> bool:
        """Whether the image gets boxes."""
        return self in (Verdict.AS_READ, Verdict.SPELLED)


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen in an image.

    Attributes:
        verdict: Whether the image is kept, and how or why not.
        digits: Indices of the chosen detections (K,), in reading order; none if it is rejected.
    """

    verdict: Verdict
    digits: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))


def spell(
    bboxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    number: str,
    max_overlap: float = 0.5,
    min_height_ratio: float = 0.5,
) -> np.ndarray | None:
    """Choose the detections of an image that spell a number, with the largest product of scores.

    They are read by their left edge, of equal ones the higher up first. For n = 1, 2, ... it is
    found how the first n digits are best spelled with the last of them at each box.

    Args:
        bboxes: Boxes (N, 4), xyxy in pixels.
        labels: Digits (N,).
        scores: Scores (N,), above 0.
        number: The digits to spell.
        max_overlap: What two chosen boxes may share, of the smaller one's area.
        min_height_ratio: What the heights of two chosen boxes must have at least.

    Returns:
        Their indices in reading order, one for each digit; of equally good ones those further
        left. None if no detections spell the number.
    """
    order = np.lexsort((bboxes[:, 1], bboxes[:, 0]))
    if not 0 < len(number) <= len(order):
        return None if number else order[:0]
    fits = _fits(bboxes[order], max_overlap, min_height_ratio)
    follows = np.triu(fits, 1)
    sums, sources = np.zeros(len(order)), []
    for place, digit in enumerate(number):
        if place:
            ways = np.where(follows, sums[:, None], -np.inf)  # from each box to each
            sources.append(ways.argmax(axis=0))
            sums = ways.max(axis=0)
        sums = sums + np.where(labels[order] == int(digit), np.log(scores[order]), -np.inf)
    chosen = [int(sums.argmax())]
    for source in reversed(sources):
        chosen.append(int(source[chosen[-1]]))
    if sums.max() == -np.inf or not fits[np.ix_(chosen, chosen)].all():
        return None
    return order[chosen[::-1]]


def choose_digits(
    detections: Detections, numbers: Numbers, given: Sequence[str | None], min_score: float
) -> list[Choice]:
    """Choose the digits of images whose number is known.

    Where it was read as it is, the digits that it was read from; else those that spell it best.

    Args:
        detections: The detections of M images.
        numbers: What was read from them.
        given: The number of each image (M,); None where it is not known after all.
        min_score: No digit of an image that is kept has a lower score.
    """
    choices = []
    for number, string, candidates, read in zip(
        given, numbers.strings, detections.by_image, read_digits(detections, numbers), strict=True
    ):
        if number is None:
            choice = Choice(Verdict.NO_NUMBER)
        elif number == string:
            choice = Choice(Verdict.AS_READ, read)
        else:
            choice = _spelled(detections, candidates, number)
        choices.append(_checked(choice, detections, min_score))
    return choices


def choose_confident(
    detections: Detections, numbers: Numbers, min_confidence: float, min_score: float
) -> list[Choice]:
    """Choose the digits that were read, where the number is not known but read with confidence.

    Args:
        detections: The detections of M images.
        numbers: What was read from them.
        min_confidence: No number of an image that is kept has a lower confidence.
        min_score: No digit of an image that is kept has a lower score.
    """
    choices = []
    for confidence, candidates, read in zip(
        numbers.confidences, detections.by_image, read_digits(detections, numbers), strict=True
    ):
        if not len(candidates):
            choice = Choice(Verdict.NO_DETECTION)
        elif not len(read) or confidence < min_confidence:
            choice = Choice(Verdict.LOW_SCORE)
        else:
            choice = Choice(Verdict.AS_READ, read)
        choices.append(_checked(choice, detections, min_score))
    return choices


def _spelled(detections: Detections, candidates: np.ndarray, number: str) -> Choice:
    """Choose those candidates that spell a number, or say why none do."""
    if not len(candidates):
        return Choice(Verdict.NO_DETECTION)
    found = [getattr(detections, name)[candidates] for name in ('bboxes', 'labels', 'scores')]
    chosen = spell(*found, number)
    if chosen is not None:
        return Choice(Verdict.SPELLED, candidates[chosen])
    anyhow = spell(*found, number, max_overlap=1.0, min_height_ratio=0.0)
    return Choice(Verdict.CANNOT_SPELL if anyhow is None else Verdict.IMPLAUSIBLE)


def _checked(choice: Choice, detections: Detections, min_score: float) -> Choice:
    """Reject what was chosen where a score is too low, or training would leave a box out."""
    bboxes = detections.bboxes[choice.digits]
    if (bboxes[:, 2:] - bboxes[:, :2] < MIN_SIDE).any():
        return Choice(Verdict.IMPLAUSIBLE)
    enough = detections.scores[choice.digits].min(initial=1) >= min_score
    return choice if enough else Choice(Verdict.LOW_SCORE)


def _fits(bboxes: np.ndarray, max_overlap: float, min_height_ratio: float) -> np.ndarray:
    """Which boxes may be digits of one number (N, N); each fits itself."""
    _, containment = pairwise_overlaps(bboxes[None])
    heights = box_heights(bboxes)
    lower, higher = (edge.outer(heights, heights) for edge in (np.minimum, np.maximum))
    fits = (containment[0] <= max_overlap) & (lower >= min_height_ratio * higher)
    return fits | np.eye(len(bboxes), dtype=bool)
