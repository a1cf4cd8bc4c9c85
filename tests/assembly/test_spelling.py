"""Detections chosen for a number that is known."""

from itertools import combinations

import numpy as np
import pytest

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.assembly.spelling import (
    Verdict,
    choose_confident,
    choose_digits,
    spell,
)


def box(x, digit, score=0.9, y=0, width=10, height=20):
    return (x, y, x + width, y + height), digit, score


ROW = [box(0, 1), box(10, 2), box(20, 3)]
HIGH = dict(height=41)  # over twice as high as the others


@pytest.mark.parametrize(
    ('boxes', 'number', 'chosen'),
    [
        ([], '', []),
        (ROW, '', []),
        ([], '7', None),
        ([box(0, 7)], '7', [0]),
        ([box(0, 7)], '77', None),
        (ROW, '123', [0, 1, 2]),
        (ROW[::-1], '123', [2, 1, 0]),
        (ROW, '321', None),  # right digits, reversed order
        (ROW, '13', [0, 2]),
        (ROW, '14', None),
        ([box(0, 1), box(10, 1)], '11', [0, 1]),  # equal digits side by side
        ([box(0, 1), box(3, 1)], '11', None),  # one digit found twice
        ([box(0, 1), box(5, 1)], '11', [0, 1]),  # sharing just half
        ([box(0, 1), box(4, 1)], '11', None),
        ([box(0, 0), box(10, 0), box(20, 7)], '007', [0, 1, 2]),
        ([box(0, 0), box(10, 7)], '7', [1]),
        ([box(0, 5, 0.3), box(1, 5, 0.4), box(10, 6)], '56', [1, 2]),
        ([box(0, 5, 0.4), box(30, 5, 0.4)], '5', [0]),  # a tie: further left
        ([box(0, 1), box(10, 5, 0.4), box(30, 5, 0.4)], '15', [0, 1]),
        ([box(30, 5, 0.4), box(0, 5, 0.4), box(40, 1)], '51', [1, 2]),
        ([box(0, 2, y=30), box(0, 1)], '12', [1, 0]),  # equal edges: higher up first
        ([box(0, 1), box(10, 2, **HIGH)], '12', None),
        ([box(0, 1), box(10, 2, height=40)], '12', [0, 1]),  # just twice as high
        ([box(0, 1), box(10, 2, 0.9, **HIGH), box(30, 2, 0.1)], '12', [0, 2]),
        ([box(0, 1), box(10, 2, height=40), box(20, 3, height=80)], '123', None),
        ([box(0, 1, 0.2), box(20, 2, 0.9), box(30, 1, 0.9)], '12', [0, 1]),
        ([box(0, 8, 0.9), box(0, 3, 0.06), box(10, 1)], '31', [1, 2]),  # taken for another digit
    ],
)
def test_the_digits_that_spell_a_number(boxes, number, chosen):
    found = spell(*arrays(boxes), number)
    assert (found if found is None else found.tolist()) == chosen


def arrays(boxes):
    bboxes, labels, scores = zip(*boxes, strict=True) if boxes else ((), (), ())
    return np.array(bboxes, float).reshape(-1, 4), np.array(labels, int), np.array(scores, float)


def test_it_is_the_best_of_all_ways():
    rng = np.random.default_rng(0)
    for _ in range(200):
        boxes = [
            box(x, digit, score, y)
            for x, y, digit, score in zip(
                rng.permutation(60)[:7],
                rng.integers(0, 9, 7),
                rng.integers(1, 3, 7),
                rng.random(7),
                strict=True,
            )
        ]
        number = ''.join(map(str, rng.integers(1, 3, rng.integers(1, 4))))
        found = spell(*arrays(boxes), number)
        best = max((score for score in products(boxes, number)), default=0)
        score = 0 if found is None else np.prod([boxes[n][2] for n in found])
        assert score == pytest.approx(best)


def products(boxes, number):
    """The products of scores of all ways to spell a number with boxes of one height."""
    for chosen in combinations(sorted(boxes), len(number)):
        apart = all(share(*pair) <= 0.5 for pair in combinations([b for b, _, _ in chosen], 2))
        if apart and ''.join(str(digit) for _, digit, _ in chosen) == number:
            yield np.prod([score for _, _, score in chosen])


def share(a, b):
    """What two boxes of 10 x 20 pixels share."""
    return max(0, 10 - abs(a[0] - b[0])) * max(0, 20 - abs(a[1] - b[1])) / 200


def images_of(*images):
    bboxes, labels, scores = arrays([each for boxes in images for each in boxes])
    index = np.repeat(np.arange(len(images)), [len(boxes) for boxes in images])
    detections = Detections(index, bboxes, labels, scores, len(images))
    return detections, assemble_numbers(detections)


@pytest.mark.parametrize(
    ('boxes', 'number', 'verdict', 'digits'),
    [
        (ROW, '123', Verdict.AS_READ, [0, 1, 2]),
        ([*ROW, box(30, 4, 0.3)], '1234', Verdict.SPELLED, [0, 1, 2, 3]),
        ([*ROW, box(30, 4, 0.29)], '1234', Verdict.LOW_SCORE, []),
        ([*ROW, box(30, 4, 0.1)], '123', Verdict.AS_READ, [0, 1, 2]),
        (ROW, '13', Verdict.SPELLED, [0, 2]),
        (ROW, None, Verdict.NO_NUMBER, []),
        (ROW, '124', Verdict.CANNOT_SPELL, []),
        (ROW, '1233', Verdict.CANNOT_SPELL, []),
        ([*ROW, box(22, 3)], '1233', Verdict.IMPLAUSIBLE, []),
        ([box(0, 1), box(10, 7, width=0.9)], '17', Verdict.IMPLAUSIBLE, []),
        ([], '1', Verdict.NO_DETECTION, []),
        ([], None, Verdict.NO_NUMBER, []),
    ],
)
def test_what_becomes_of_an_image_whose_number_is_given(boxes, number, verdict, digits):
    other = [box(0, 5)]
    second, first = choose_digits(*images_of(other, boxes), ['5', number], min_score=0.3)
    assert (second.verdict, second.digits.tolist()) == (Verdict.AS_READ, [0])
    assert (first.verdict, first.digits.tolist()) == (verdict, [n + 1 for n in digits])


@pytest.mark.parametrize(
    ('boxes', 'verdict', 'digits'),
    [
        ([], Verdict.NO_DETECTION, []),
        ([box(0, 1, 0.4)], Verdict.LOW_SCORE, []),  # not read at all
        ([box(0, 1, 0.85)], Verdict.AS_READ, [0]),
        ([box(0, 1, 0.84)], Verdict.LOW_SCORE, []),  # of a digit
        ([box(10, 1, 0.89), box(0, 2, 0.9)], Verdict.AS_READ, [1, 0]),  # 0.801
        ([box(10, 1, 0.88), box(0, 2, 0.9)], Verdict.LOW_SCORE, []),  # 0.792
        ([box(0, 1, 1, width=0.5)], Verdict.IMPLAUSIBLE, []),
    ],
)
def test_what_becomes_of_an_image_without_a_number(boxes, verdict, digits):
    (choice,) = choose_confident(*images_of(boxes), min_confidence=0.8, min_score=0.85)
    assert (choice.verdict, choice.digits.tolist()) == (verdict, digits)
