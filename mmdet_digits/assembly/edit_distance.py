"""Edit distance between many pairs of numbers at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmdet_digits.assembly.number_assembly import NO_NUMBER


class Edits(NamedTuple):
    """How to turn each predicted number into the true one with as few edits as possible.

    Where several ways need equally few, the one with most ``confused`` digits is counted.

    Attributes:
        missed: True digits without a predicted one (M,).
        extra: Predicted digits without a true one (M,).
        confused: Predicted digits that stand for another true digit (M,).
    """

    missed: np.ndarray
    extra: np.ndarray
    confused: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """Levenshtein distance (M,): the sum of the three."""
        return self.missed + self.extra + self.confused


def encode_numbers(numbers: Sequence[str] | np.ndarray) -> np.ndarray:
    """Write numbers as rows of code points.

    Args:
        numbers: M numbers of the digits 0 to 9; ``'-1'`` (and ``''``) is the number without digits.

    Returns:
        Code points (M, L), 0 to the right of a number's end; L is at least 1.

    Raises:
        ValueError: If a number has other characters. The message names the first one.
    """
    strings = np.asarray(numbers, dtype=str).reshape(-1)
    strings = np.where(strings == NO_NUMBER, '', strings)
    width = max(strings.dtype.itemsize // 4, 1)
    strings = np.ascontiguousarray(strings, dtype=f'<U{width}')
    codes = strings.view(np.uint32).reshape(len(strings), width)
    codes = codes[:, : max(count_digits(codes).max(initial=0), 1)]
    bad = ((codes != 0) & ((codes < ord('0')) | (codes > ord('9')))).any(axis=1)
    if bad.any():
        n = int(bad.argmax())
        raise ValueError(f'number {n}: expected digits or {NO_NUMBER!r}, found {str(numbers[n])!r}')
    return codes


def count_digits(codes: np.ndarray) -> np.ndarray:
    """Return the number of digits (M,) of encoded numbers (M, L)."""
    return (codes != 0).sum(axis=1)


def batch_edits(predicted: np.ndarray, target: np.ndarray) -> Edits:
    """Count the edits between each predicted number and its true one.

    The table of the Wagner-Fischer algorithm is filled cell by cell for all pairs together. A cell
    holds ``cost * scale + extra``, so the smallest value is a cheapest alignment and, among those,
    one with fewest extra digits; how many were missed then follows from the two lengths.

    Args:
        predicted: Encoded predicted numbers (M, P).
        target: Encoded true numbers (M, T).

    Returns:
        The edits of each pair.
    """
    num_predicted, num_target = count_digits(predicted), count_digits(target)
    pairs, scale = np.arange(len(target)), predicted.shape[1] + target.shape[1] + 1
    row = np.arange(target.shape[1] + 1)[:, None] * np.full(len(target), scale)
    total = row[num_target, pairs]
    for p in range(predicted.shape[1]):
        above, row = row, np.empty_like(row)
        row[0] = above[0] + scale + 1
        for t in range(target.shape[1]):
            substituted = above[t] + scale * (predicted[:, p] != target[:, t])
            row[t + 1] = np.minimum(
                np.minimum(above[t + 1] + scale + 1, row[t] + scale), substituted
            )
        total = np.where(num_predicted == p + 1, row[num_target, pairs], total)
    distance, extra = np.divmod(total, scale)
    missed = extra + num_target - num_predicted
    return Edits(missed=missed, extra=extra, confused=distance - missed - extra)
