"""What was read in an image: its number, the digits that it is made of, and those left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.grouping import NEIGHBOURS, group_boxes, in_reading_order
from mmdet_digits.assembly.number_assembly import (
    NO_NUMBER,
    NumberAssembly,
    Reason,
    assemble_numbers,
    read_digits,
)

LOW_SCORE, NOTHING = 'low score', 'no number'


@dataclass(frozen=True)
class Digit:
    """A digit that was found.

    Attributes:
        value: 0 to 9.
        score: How sure the detector is, 0 to 1.
        box: x1, y1, x2, y2 in pixels of the image.
        reason: Why it is not part of the number, such as ``'low score'``, or ``'read'``.
    """

    value: int
    score: float
    box: tuple[float, float, float, float]
    reason: str = 'read'


@dataclass(frozen=True)
class NumberReading:
    """The number in an image.

    Attributes:
        number: Its digits as text, so that ``'007'`` stays; None where no digit was found.
        confidence: Product of the scores of its digits, 0 without a number.
        digits: Its digits, in reading order.
        dropped: Digits that were found but are not part of it, by falling score.
        source: What was given to the reader where that has a name: a path.
        image: (H, W, 3) uint8, BGR, turned as its EXIF tag says.
        assembly: By which rules the number was made.
    """

    number: str | None
    confidence: float
    digits: tuple[Digit, ...]
    dropped: tuple[Digit, ...] = ()
    source: str | None = None
    image: np.ndarray | None = field(default=None, repr=False, compare=False)
    assembly: NumberAssembly = field(default=NumberAssembly(), repr=False)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The smallest box around its digits, x1, y1, x2, y2 in pixels; None without a number."""
        if not self.digits:
            return None
        boxes = np.array([digit.box for digit in self.digits])
        return (*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist())

    def reassemble(self, **changes: Any) -> 'NumberReading':
        """Make the number anew from what was found, without looking at the image again.

        Args:
            **changes: fields of :class:`NumberAssembly`, such as ``score_thr=0.3``; the others stay
                as they are.

        Raises:
            ValueError: a value is out of its range.
            TypeError: there is no such field.
        """
        found = (*self.digits, *self.dropped)
        return make_reading(
            np.array([digit.box for digit in found]).reshape(-1, 4),
            np.array([digit.score for digit in found]),
            np.array([digit.value for digit in found], dtype=int),
            replace(self.assembly, **changes),
            self.source,
            self.image,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON: pixels to 0.001, scores to 0.000001."""
        return dict(
            source=self.source,
            number=self.number,
            confidence=round(self.confidence, 6),
            digits=[_digit_dict(digit) for digit in self.digits],
            dropped=[_digit_dict(digit) for digit in self.dropped],
        )

    def draw(self, size: tuple[int, int] = (640, 240)) -> np.ndarray:
        """Draw the image, enlarged, with its digits and its number.

        Args:
            size: width and height into which the image is fitted, in pixels.

        Returns:
            The picture, (H, W, 3) uint8, BGR.
        """
        return draw_readings(self.image, [self], size)

    def __str__(self) -> str:
        if self.number is None:
            return NOTHING
        return f'{self.number}   confidence {self.confidence:.2f}'


def make_reading(
    bboxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    assembly: NumberAssembly,
    source: str | None = None,
    image: np.ndarray | None = None,
) -> NumberReading:
    """Assemble the number of one image.

    Args:
        bboxes: boxes of digits (N, 4), xyxy in pixels.
        scores: (N,).
        labels: the digits, (N,).
        assembly: the rules.
        source: see :class:`NumberReading`.
        image: see :class:`NumberReading`.
    """
    detections = Detections(np.zeros(len(scores)), bboxes, labels, scores, 1)
    numbers = assemble_numbers(detections, assembly)
    digits = [
        Digit(int(value), float(score), tuple(map(float, box)), reason_text(reason))
        for value, score, box, reason in zip(labels, scores, bboxes, numbers.reasons, strict=True)
    ]
    (read,) = read_digits(detections, numbers)
    others = [n for n in np.argsort(-detections.scores, kind='stable') if n not in read]
    number = str(numbers.strings[0])
    return NumberReading(
        None if number == NO_NUMBER else number,
        float(numbers.confidences[0]),
        tuple(digits[n] for n in read),
        tuple(digits[n] for n in others),
        source,
        image,
        assembly,
    )


def make_readings(
    bboxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    assembly: NumberAssembly,
    source: str | None = None,
    image: np.ndarray | None = None,
) -> list[NumberReading]:
    """Assemble all numbers of one image, row by row; arguments as for :func:`make_reading`."""
    sure = np.flatnonzero(scores >= assembly.score_thr)
    groups = [sure[group] for group in group_boxes(bboxes[sure], NEIGHBOURS)]
    readings = [
        make_reading(bboxes[group], scores[group], labels[group], assembly, source, image)
        for group in groups
    ]
    readings = [reading for reading in readings if reading.digits]
    boxes = np.array([reading.box for reading in readings]).reshape(-1, 4)
    return [readings[n] for n in in_reading_order(boxes)]


def draw_readings(
    image: np.ndarray, readings: Sequence[NumberReading], size: tuple[int, int] = (640, 240)
) -> np.ndarray:
    """Draw what was read in an image; digits left out for their score are not drawn.

    Args:
        image: (H, W, 3) uint8, BGR.
        readings: of that image.
        size: width and height into which it is fitted, in pixels.

    Returns:
        The picture, (H, W, 3) uint8, BGR.
    """
    from mmdet_digits.visualization.digit_pictures import (
        DROPPED,
        READ,
        Mark,
        draw_marks,
        with_caption,
    )

    dropped = [
        Mark(digit.box, f'{digit.value} {digit.reason}', DROPPED, dashed=True)
        for reading in readings
        for digit in reading.dropped
        if digit.reason != LOW_SCORE
    ]
    kept = [Mark(digit.box, str(digit.value), READ) for one in readings for digit in one.digits]
    picture = draw_marks(image[..., ::-1], [*dropped, *kept], size)
    text = '   '.join(map(str, readings)) or NOTHING
    return np.asarray(with_caption(picture, text))[..., ::-1]


def reason_text(reason: int) -> str:
    """Why a detection is, or is not, part of its number, in words."""
    return Reason(reason).name.lower().replace('_', ' ')


def _digit_dict(digit: Digit) -> dict[str, Any]:
    box = [round(edge, 3) for edge in digit.box]
    return dict(value=digit.value, score=round(digit.score, 6), box=box, reason=digit.reason)
