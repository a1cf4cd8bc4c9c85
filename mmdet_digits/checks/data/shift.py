"""Whether two splits hold the digits and the number lengths in the same proportions.

Two things have to be true before a shift is reported: a chi-square test of homogeneity finds it
hardly by chance (p < 0.001), and it is large enough to matter (more than 10 % of the split would
have to change class). With 30,000 images the first is true of the smallest difference, with 20
images the second is true by chance.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from scipy.special import chdtrc

from mmdet_digits.checks.data.table import CocoTable
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.coco.categories import DIGITS, map_categories
from mmdet_digits.coco.structure import choose_categories
from mmdet_digits.errors import InputError

LARGEST_P = 0.001
SMALLEST_SHIFT = 0.1  # half the sum of the absolute differences of the shares
LEAST_EXPECTED = 5  # counts below are put together, as the chi-square test requires
LONGEST = 6  # digits; longer numbers are counted with these


def check_shift(tables: Mapping[str, CocoTable]) -> list[Check]:
    """Compare each split with the first in classes and in number lengths."""
    return [
        _compare(
            'class distribution',
            {split: class_counts(table) for split, table in tables.items()},
            DIGITS,
            'of the boxes',
        ),
        _compare(
            'length distribution',
            {split: length_counts(table) for split, table in tables.items()},
            [str(length) for length in range(LONGEST)] + [f'{LONGEST} or more'],
            'of the images',
        ),
    ]


def class_counts(table: CocoTable) -> np.ndarray:
    """Boxes of each digit (10,); all 0 where the categories are not the digits."""
    try:
        categories, *_ = choose_categories(table.categories, Counter(), '')
        ids = map_categories(categories, '')
    except InputError:
        return np.zeros(len(DIGITS), dtype=int)
    return np.array([(table.category_ids == category_id).sum() for category_id in ids])


def length_counts(table: CocoTable) -> np.ndarray:
    """Images with 0, 1, 2, ... boxes, the last with ``LONGEST`` or more (LONGEST + 1,)."""
    rows = table.image_rows[table.image_rows >= 0]
    lengths = np.bincount(rows, minlength=len(table.image_ids)).clip(max=LONGEST)
    return np.bincount(lengths, minlength=LONGEST + 1)


def p_value(first: np.ndarray, second: np.ndarray) -> float:
    """How likely two splits of one source differ as much as these: a chi-square test.

    Args:
        first: counts per class (K,).
        second: likewise (K,).
    """
    counts = np.stack([first, second]).astype(float)
    if (counts.sum(axis=1) == 0).any():
        return 1.0
    smallest = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    rare = smallest < LEAST_EXPECTED
    counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    counts = counts[:, counts.sum(axis=0) > 0]
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    degrees = counts.shape[1] - 1
    return float(chdtrc(degrees, ((counts - expected) ** 2 / expected).sum())) if degrees else 1.0


def shift(first: np.ndarray, second: np.ndarray) -> float:
    """Total variation distance: the share that would have to change class (0 to 1)."""
    if not first.sum() or not second.sum():
        return 0.0
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def _compare(name: str, counts: Mapping[str, np.ndarray], classes: list[str], unit: str) -> Check:
    (base, of_base), *others = counts.items()
    found, moved = [], False
    for split, of_split in others:
        distance, p = shift(of_base, of_split), p_value(of_base, of_split)
        found.append(f'{base} to {split}: {distance:.1%} {unit} (p = {p:.2g})')
        if distance > SMALLEST_SHIFT and p < LARGEST_P:
            moved = True
            found[-1] += ', most at ' + _largest(of_base, of_split, classes)
    if not moved:
        return Check(name, Status.OK, '; '.join(found))
    expected = f'shares that differ by less than {SMALLEST_SHIFT:.0%} in all, or by chance'
    fix = 'split at random (prepare_data.py link --valid 0.1), unless the shift is wanted'
    return Check(name, Status.WARN, '; '.join(found), expected, fix)


def _largest(first: np.ndarray, second: np.ndarray, classes: list[str]) -> str:
    """The class whose share changes most, with both shares."""
    shares = first / first.sum(), second / second.sum()
    most = np.argmax(np.abs(shares[0] - shares[1]))
    return f'{classes[most]}: {shares[0][most]:.1%} to {shares[1][most]:.1%}'
