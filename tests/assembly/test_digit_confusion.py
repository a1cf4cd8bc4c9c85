import numpy as np
import pytest

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.digit_confusion import (
    NO_DIGIT,
    ConfusedPair,
    confusion_rates,
    digit_confusion,
    most_confused,
    same_image_pairs,
)
from mmdet_digits.assembly.padded_boxes import pairwise_overlaps
from mmdet_digits.boxes import ious

AT = [0.0, 0.0, 10.0, 20.0]
HALF = [0.0, 0.0, 10.0, 10.0]  # IoU with AT exactly 0.5
FAR = [50.0, 0.0, 60.0, 20.0]


def digits(*entries, num_images=2):
    """Entries: (image, bbox, label, score)."""
    columns = list(zip(*entries, strict=True)) or [[], np.zeros((0, 4)), [], []]
    return Detections(*columns, num_images)


TRUTH = (0, AT, 3, 1.0)


@pytest.mark.parametrize(
    ('truth', 'found', 'cells'),
    [
        ([], [], {}),
        ([TRUTH], [], {(3, NO_DIGIT): 1}),
        ([], [(0, AT, 3, 0.9)], {(NO_DIGIT, 3): 1}),
        ([TRUTH], [(0, AT, 3, 0.9)], {(3, 3): 1}),
        ([TRUTH], [(0, AT, 5, 0.9)], {(3, 5): 1}),
        ([TRUTH], [(1, AT, 3, 0.9)], {(3, NO_DIGIT): 1, (NO_DIGIT, 3): 1}),
        ([TRUTH], [(0, AT, 3, 0.6)], {(3, 3): 1}),  # exactly at the score
        ([TRUTH], [(0, AT, 3, 0.599)], {(3, NO_DIGIT): 1}),
        ([TRUTH], [(0, HALF, 3, 0.9)], {(3, 3): 1}),  # exactly at the IoU
        ([TRUTH], [(0, FAR, 3, 0.9)], {(3, NO_DIGIT): 1, (NO_DIGIT, 3): 1}),
        # The higher IoU wins whatever its digit, the other one is extra.
        ([TRUTH], [(0, HALF, 3, 0.9), (0, AT, 8, 0.7)], {(3, 8): 1, (NO_DIGIT, 3): 1}),
        # Of equal IoU the better scored one.
        ([TRUTH], [(0, AT, 3, 0.7), (0, AT, 8, 0.9)], {(3, 8): 1, (NO_DIGIT, 3): 1}),
        # Two true digits may take the same detection.
        ([TRUTH, (0, AT, 4, 1.0)], [(0, AT, 3, 0.9)], {(3, 3): 1, (4, 3): 1}),
    ],
)
def test_table(truth, found, cells):
    counts = digit_confusion(digits(*truth), digits(*found))
    assert {tuple(cell): counts[tuple(cell)] for cell in np.argwhere(counts).tolist()} == cells


def test_rows_and_columns_add_up_on_random_boxes():
    rng = np.random.default_rng(0)

    def draw(count):
        corner = rng.uniform(0, 40, (count, 2))
        bboxes = np.concatenate([corner, corner + rng.uniform(5, 30, (count, 2))], axis=1)
        return Detections(
            rng.integers(0, 20, count), bboxes, rng.integers(0, 10, count), rng.random(count), 20
        )

    truth, found = draw(200), draw(300)
    counts = digit_confusion(truth, found, score_thr=0.3, iou_thr=0.4)
    assert (counts[:NO_DIGIT].sum(axis=1) == np.bincount(truth.labels, minlength=10)).all()
    assert counts[:NO_DIGIT].sum() == len(truth)
    expected = np.zeros((11, 11), dtype=int)
    taken = set()
    for n in range(len(truth)):
        rivals = [
            m
            for m in range(len(found))
            if found.image_index[m] == truth.image_index[n] and found.scores[m] >= 0.3
        ]
        ious = [
            pairwise_overlaps(np.stack([truth.bboxes[n], found.bboxes[m]])[None])[0][0, 0, 1]
            for m in rivals
        ]
        hit = bool(ious) and max(ious) >= 0.4
        best = rivals[int(np.argmax(ious))] if hit else None
        taken.update([best] if hit else [])
        expected[truth.labels[n], found.labels[best] if hit else NO_DIGIT] += 1
    for m in range(len(found)):
        if found.scores[m] >= 0.3 and m not in taken:
            expected[NO_DIGIT, found.labels[m]] += 1
    assert (counts == expected).all()


def test_most_confused_leaves_out_right_missed_and_extra():
    counts = np.zeros((11, 11), dtype=int)
    counts[3, [3, 5, NO_DIGIT]] = 6, 3, 1
    counts[1, [1, 7]] = 1, 3
    counts[NO_DIGIT, 2] = 9
    assert most_confused(counts) == [ConfusedPair(1, 7, 3, 0.75), ConfusedPair(3, 5, 3, 0.3)]
    assert most_confused(counts, limit=1) == [ConfusedPair(1, 7, 3, 0.75)]
    assert most_confused(np.zeros((11, 11), dtype=int)) == []


def test_rates_of_an_empty_row_are_zero():
    counts = np.zeros((11, 11), dtype=int)
    counts[0, [0, 1]] = 3, 1
    rates = confusion_rates(counts)
    assert rates[0, :2].tolist() == [0.75, 0.25] and rates[1:].sum() == 0


def test_pairs():
    first, second = same_image_pairs(np.array([2, 0, 2]), np.array([2, 1, 2]))
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [
        (0, 0),
        (0, 2),
        (2, 0),
        (2, 2),
    ]
    empty = np.zeros((0, 4))
    assert len(ious(empty, empty)) == 0
    flat = np.array([[0.0, 0, 0, 0]])
    assert ious(flat, flat).tolist() == [0.0]
