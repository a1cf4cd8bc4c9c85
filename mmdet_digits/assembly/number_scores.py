"""How well predicted numbers agree with the true ones.

A number counts as read when it is exactly right. ``'-1'`` stands for the number without digits.
"""

from collections.abc import Sequence

import numpy as np

from mmdet_digits.assembly.edit_distance import batch_edits, count_digits, encode_numbers

ACCURACY_TARGETS = (0.95, 0.98, 0.99)


def score_numbers(
    predicted: Sequence[str] | np.ndarray,
    target: Sequence[str] | np.ndarray,
    confidences: Sequence[float] | np.ndarray | None = None,
) -> dict[str, float]:
    """Compare predicted numbers with the true ones.

    Two sums hold. ``too_short + too_long + wrong_digit`` is the count of wrong numbers, by the
    number of digits predicted. ``missed + extra + confused + order`` is the total edit distance;
    ``order`` has the edits of those numbers that have just the true digits in another order.

    Args:
        predicted: M predicted numbers.
        target: M true numbers.
        confidences: Confidence of each predicted number; without it the coverages are left out.

    Returns:
        ``accuracy``, and ``accuracy_low`` and ``accuracy_high``, the ends of its 95 % interval, see
        :func:`accuracy_interval`;
        ``digit_error_rate`` (edit distance over true digits, so it can exceed 1);
        ``normalized_edit_distance`` (mean of the edit distance over the longer number's length);
        the counts above; ``accuracy_length_<L>`` for each number of true digits there is;
        ``coverage_at_<A>`` for the accuracies 95, 98 and 99 %, see :func:`coverage_at_accuracy`.

    Raises:
        ValueError: If there is nothing to compare, lengths disagree or a number is not digits.
    """
    if len(predicted) != len(target) or not len(target):
        raise ValueError(f'cannot score {len(predicted)} numbers against {len(target)} true ones')
    predicted, target = encode_numbers(predicted), encode_numbers(target)
    edits = batch_edits(predicted, target)
    correct = edits.distance == 0
    lengths = count_digits(target)
    low, high = accuracy_interval(correct)
    scores = {
        'accuracy': float(correct.mean()),
        'accuracy_low': low,
        'accuracy_high': high,
        **_digit_scores(edits.distance, count_digits(predicted), lengths),
        **_count_errors(edits, predicted, target),
        **_accuracy_by_length(correct, lengths),
    }
    if confidences is not None:
        scores.update(
            (
                f'coverage_at_{100 * accuracy:.0f}',
                coverage_at_accuracy(correct, confidences, accuracy),
            )
            for accuracy in ACCURACY_TARGETS
        )
    return scores


def accuracy_interval(correct: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy: Wilson's, of a binomial share.

    It has a width also where all or none are right. It covers the choice of the images alone:
    another seed of the training may move an accuracy by more.

    Args:
        correct: Whether each number is right (M,).

    Returns:
        Its ends, 0 to 1.
    """
    from scipy.stats import binomtest  # takes a second

    right = int(np.count_nonzero(correct))
    low, high = binomtest(right, len(correct)).proportion_ci(0.95, method='wilson')
    return float(low), float(high)


def coverage_at_accuracy(
    correct: np.ndarray, confidences: Sequence[float] | np.ndarray, accuracy: float
) -> float:
    """Return the largest share of numbers that a confidence threshold keeps at this accuracy.

    As Goodfellow et al. 2013 ("Multi-digit Number Recognition from Street View Imagery using Deep
    Convolutional Neural Networks") report it, with the threshold chosen on these numbers. Equal
    confidences are kept or left together, since no threshold tells them apart.

    Args:
        correct: Whether each number is right (M,).
        confidences: The confidence of each number (M,).
        accuracy: The accuracy that the kept numbers must reach.

    Returns:
        The coverage, 0 to 1.
    """
    kept, _ = _kept_at_accuracy(correct, confidences, accuracy)
    return kept / len(correct)


def confidence_at_accuracy(
    correct: np.ndarray, confidences: Sequence[float] | np.ndarray, accuracy: float
) -> float:
    """Return the lowest confidence of the numbers that :func:`coverage_at_accuracy` keeps.

    Args:
        correct: Whether each number is right (M,).
        confidences: The confidence of each number (M,).
        accuracy: The accuracy that the kept numbers must reach.

    Returns:
        The confidence; NaN if none is kept.
    """
    return _kept_at_accuracy(correct, confidences, accuracy)[1]


def _kept_at_accuracy(
    correct: np.ndarray, confidences: Sequence[float] | np.ndarray, accuracy: float
) -> tuple[int, float]:
    """How many numbers a confidence threshold keeps at an accuracy at most, and that threshold."""
    confidences = np.asarray(confidences, dtype=float)
    order = np.argsort(-confidences, kind='stable')
    kept = np.arange(1, len(order) + 1)
    reached = np.cumsum(correct[order]) >= accuracy * kept - 1e-9
    ordered = confidences[order]
    last_of_ties = np.append(ordered[1:] != ordered[:-1], True)
    most = int((kept * (reached & last_of_ties)).max())
    return most, float(ordered[most - 1]) if most else np.nan


def _digit_scores(distance, num_predicted, num_target) -> dict[str, float]:
    longer = np.maximum(np.maximum(num_predicted, num_target), 1)
    return {
        'digit_error_rate': float(distance.sum() / max(num_target.sum(), 1)),
        'normalized_edit_distance': float((distance / longer).mean()),
    }


def _count_errors(edits, predicted, target) -> dict[str, int]:
    wrong = edits.distance > 0
    num_predicted, num_target = count_digits(predicted), count_digits(target)
    same_length = num_predicted == num_target
    width = max(predicted.shape[1], target.shape[1])
    digits = [
        np.sort(np.pad(codes, ((0, 0), (0, width - codes.shape[1]))), axis=1)
        for codes in (predicted, target)
    ]
    order = wrong & (digits[0] == digits[1]).all(axis=1)
    return {
        'too_short': int((num_predicted < num_target).sum()),
        'too_long': int((num_predicted > num_target).sum()),
        'wrong_digit': int((wrong & same_length).sum()),
        'missed': int(edits.missed[~order].sum()),
        'extra': int(edits.extra[~order].sum()),
        'confused': int(edits.confused[~order].sum()),
        'order': int(edits.distance[order].sum()),
    }


def _accuracy_by_length(correct: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
    return {
        f'accuracy_length_{length}': float(correct[lengths == length].mean())
        for length in np.unique(lengths)
    }
