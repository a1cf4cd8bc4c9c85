import numpy as np
import pytest

from mmdet_digits.assembly.number_scores import (
    confidence_at_accuracy,
    coverage_at_accuracy,
    score_numbers,
)

PAIRS = [  # predicted, target
    ('12', '12'),
    ('-1', '5'),
    ('123', '12'),
    ('21', '12'),
    ('13', '12'),
    ('12', '124'),
    ('7', '007'),
    ('-1', '-1'),
]


def test_scores_by_hand():
    scores = score_numbers(*zip(*PAIRS, strict=True))
    assert scores['accuracy'] == 2 / 8
    assert scores['digit_error_rate'] == 8 / 15
    distances = [0, 1 / 1, 1 / 3, 2 / 2, 1 / 2, 1 / 3, 2 / 3, 0]
    assert scores['normalized_edit_distance'] == pytest.approx(np.mean(distances))
    assert (scores['too_short'], scores['too_long'], scores['wrong_digit']) == (3, 1, 2)
    edits = {'missed': 4, 'extra': 1, 'confused': 1, 'order': 2}
    assert {name: scores[name] for name in edits} == edits
    lengths = {name: value for name, value in scores.items() if name.startswith('accuracy_length')}
    assert lengths == {
        'accuracy_length_0': 1.0,
        'accuracy_length_1': 0.0,
        'accuracy_length_2': 1 / 4,
        'accuracy_length_3': 0.0,
    }
    assert not any(name.startswith('coverage') for name in scores)


def test_sums_hold_and_scalars_are_plain():
    rng = np.random.default_rng(0)
    predicted, target = rng.integers(0, 300, (2, 3000)).astype(str)
    scores = score_numbers(predicted, target, rng.random(3000))
    errors = scores['too_short'] + scores['too_long'] + scores['wrong_digit']
    assert errors == round(3000 * (1 - scores['accuracy']))
    edits = sum(scores[name] for name in ('missed', 'extra', 'confused', 'order'))
    digits = sum(len(text) for text in target)
    assert edits == round(scores['digit_error_rate'] * digits)
    assert {type(value) for value in scores.values()} == {int, float}


def test_one_right_and_one_wrong():
    assert score_numbers(['5'], ['5'], [0.1])['coverage_at_99'] == 1
    scores = score_numbers(['5'], ['6'], [0.9])
    assert (scores['accuracy'], scores['coverage_at_95'], scores['confused']) == (0, 0, 1)


@pytest.mark.parametrize(('predicted', 'target'), [([], []), (['1'], []), (['1'], ['1', '2'])])
def test_nothing_to_compare(predicted, target):
    with pytest.raises(ValueError, match='cannot score'):
        score_numbers(predicted, target)


@pytest.mark.parametrize(
    ('correct', 'confidences', 'accuracy', 'coverage', 'threshold'),
    [
        ([1, 1, 1, 0], [0.9, 0.8, 0.7, 0.6], 0.95, 3 / 4, 0.7),
        ([1, 1, 1, 0], [0.9, 0.8, 0.7, 0.6], 0.75, 1.0, 0.6),  # exactly at the target
        ([0, 1, 1, 1], [0.9, 0.8, 0.7, 0.6], 0.75, 1.0, 0.6),  # reached only further down
        ([0, 1, 1, 1], [0.9, 0.8, 0.7, 0.6], 0.8, 0.0, np.nan),
        ([1, 1, 0, 1], [0.9, 0.5, 0.5, 0.4], 0.95, 1 / 4, 0.9),  # a tie is not split
        ([1, 0], [0.5, 0.5], 0.5, 1.0, 0.5),
        ([0], [1.0], 0.95, 0.0, np.nan),
    ],
)
def test_coverage_and_its_confidence(correct, confidences, accuracy, coverage, threshold):
    outcome = np.array(correct, dtype=bool), confidences, accuracy
    assert coverage_at_accuracy(*outcome) == coverage
    assert confidence_at_accuracy(*outcome) == pytest.approx(threshold, nan_ok=True)


@pytest.mark.parametrize(
    ('right', 'images', 'low', 'high'),
    [  # Wilson's, from its formula
        (0, 100, 0.0, 0.0370),
        (100, 100, 0.9630, 1.0),
        (50, 100, 0.4038, 0.5962),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_interval_of_an_accuracy_has_a_width_at_its_ends_too(right, images, low, high):
    scores = score_numbers(['1'] * images, ['1'] * right + ['2'] * (images - right))
    assert scores['accuracy_low'] == pytest.approx(low, abs=5e-5)
    assert scores['accuracy_high'] == pytest.approx(high, abs=5e-5)
