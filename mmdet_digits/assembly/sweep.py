"""Which number assembly reads most numbers, and how sure that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.edit_distance import batch_edits, encode_numbers
from mmdet_digits.assembly.number_assembly import (
    NumberAssembly,
    assemble_numbers,
    resolve_assembly,
    sweep_numbers,
)
from mmdet_digits.assembly.number_scores import (
    ACCURACY_TARGETS,
    confidence_at_accuracy,
    coverage_at_accuracy,
)

OBJECTIVES = ('accuracy', 'coverage_at_98')

SYSTEM_B_SCORES = (0.5, 0.6, 0.7)
SYSTEM_B_IOUS = (None, 0.0, 0.3, 0.5)
"""The values of system B's ablation; None keeps duplicates."""

SCORES = tuple(np.round(np.arange(0.05, 0.96, 0.05), 2).tolist())
IOUS = (None, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

VARIANTS = {
    'default': {},
    'no containment rule': {'containment_thr': None},
    'same digit only': {'class_agnostic': False},
    'no gap rule': {'max_gap_heights': None},
    'no height rule': {'min_height_ratio': None},
    'neither gap nor height rule': {'max_gap_heights': None, 'min_height_ratio': None},
    'in order of x centres': {'order': 'center'},
    'along the axis': {'order': 'axis'},
    'system_b': {'preset': 'system_b'},
}
"""What the sweep tries at each score and IoU: a name and the fields that differ."""


@dataclass(frozen=True)
class SweepRow:
    """One setting and its figures.

    Attributes:
        variant: Name of its variant.
        assembly: The setting.
        accuracy: Share of the numbers that are exactly right.
        coverage_at_98: Share that a confidence threshold keeps at 98 % accuracy.
    """

    variant: str
    assembly: NumberAssembly
    accuracy: float
    coverage_at_98: float


def sweep_grid(
    scores: Sequence[float] = SCORES,
    ious: Sequence[float | None] = IOUS,
    variants: Mapping[str, Mapping] | None = None,
) -> list[tuple[str, NumberAssembly]]:
    """List every variant at every score threshold and IoU.

    Args:
        scores: Values of ``score_thr``.
        ious: Values of ``iou_thr``, None for no removal.
        variants: Fields that differ, per name; without it ``VARIANTS``.

    Returns:
        Names and settings. A variant's own preset or default comes before its neighbours, those
        nearest in score and then in IoU first, so that the first of equal ones is the plainest.
    """
    grid = []
    for name, fields in (VARIANTS if variants is None else variants).items():
        own = resolve_assembly(fields)
        settings = [replace(own, score_thr=score, iou_thr=iou) for score in scores for iou in ious]
        grid += [(name, setting) for setting in sorted(settings, key=_distance_from(own))]
    return grid


def _distance_from(own: NumberAssembly) -> Callable[[NumberAssembly], tuple]:
    def level(iou: float | None) -> float:
        return 1.0 if iou is None else iou

    return lambda other: (
        round(abs(other.score_thr - own.score_thr), 6),
        round(abs(level(other.iou_thr) - level(own.iou_thr)), 6),
    )


def score_sweep(
    detections: Detections,
    truth: Sequence[str] | np.ndarray,
    grid: Iterable[tuple[str, NumberAssembly]],
) -> list[SweepRow]:
    """Score every setting on the same detections, in one pass.

    Args:
        detections: The detections.
        truth: The true numbers (M,).
        grid: Names and settings, see :func:`sweep_grid`.

    Returns:
        One row per setting, in their order.
    """
    grid = list(grid)
    target = encode_numbers(truth)
    rows = []
    numbers_by_setting = sweep_numbers(detections, [setting for _, setting in grid])
    for (name, setting), numbers in zip(grid, numbers_by_setting, strict=True):
        correct = batch_edits(encode_numbers(numbers.strings), target).distance == 0
        coverage = coverage_at_accuracy(correct, numbers.confidences, 0.98)
        rows.append(SweepRow(name, setting, float(correct.mean()), coverage))
    return rows


def best_row(rows: Sequence[SweepRow], objective: str = 'accuracy') -> SweepRow:
    """Return the row with the highest objective; the first of equal ones."""
    return max(rows, key=lambda row: getattr(row, objective))


def table_of(
    rows: Sequence[SweepRow],
    variant: str,
    scores: Sequence[float],
    ious: Sequence[float | None],
    objective: str = 'accuracy',
) -> np.ndarray:
    """Lay one variant's figures out (len(ious), len(scores)); NaN where the sweep has no row."""
    figure = {
        (row.assembly.iou_thr, row.assembly.score_thr): getattr(row, objective)
        for row in rows
        if row.variant == variant
    }
    return np.array([[figure.get((iou, score), np.nan) for score in scores] for iou in ious])


def coverage_table(
    detections: Detections, truth: Sequence[str] | np.ndarray, assembly: NumberAssembly
) -> list[tuple[float, float, float]]:
    """Say from which confidence on numbers are right how often.

    Args:
        detections: The detections.
        truth: The true numbers (M,).
        assembly: The setting.

    Returns:
        For each of ``ACCURACY_TARGETS``: the accuracy, the lowest confidence that reaches it (NaN
        if none does) and the share of the numbers that have it.
    """
    correct, confidences = _outcome(detections, encode_numbers(truth), assembly)
    return [
        (
            accuracy,
            confidence_at_accuracy(correct, confidences, accuracy),
            coverage_at_accuracy(correct, confidences, accuracy),
        )
        for accuracy in ACCURACY_TARGETS
    ]


@dataclass(frozen=True)
class Judgement:
    """How a setting does on a data set.

    Attributes:
        name: What the setting is called.
        value: Its objective.
        low: Lower end of the 95 % bootstrap interval.
        high: Upper end.
        ahead: By how much the first setting of the comparison is ahead of it.
        ahead_low: Lower end of that difference's interval, from the same resamples.
        ahead_high: Upper end.
    """

    name: str
    value: float
    low: float
    high: float
    ahead: float
    ahead_low: float
    ahead_high: float


def judge(
    detections: Detections,
    truth: Sequence[str] | np.ndarray,
    assemblies: Mapping[str, NumberAssembly | str],
    objective: str = 'accuracy',
    repeats: int = 1000,
    seed: int = 0,
) -> list[Judgement]:
    """Compare settings on the same images by a paired bootstrap over the images.

    Args:
        detections: The detections.
        truth: The true numbers (M,).
        assemblies: The settings by name; the first one is compared with all.
        objective: ``'accuracy'`` or ``'coverage_at_98'``.
        repeats: Number of resamples.
        seed: The same seed gives the same intervals.
    """
    target = encode_numbers(truth)
    outcomes = [_outcome(detections, target, setting) for setting in assemblies.values()]
    rng = np.random.default_rng(seed)
    everything = np.arange(len(target))
    values = np.array([_objective(*outcome, everything, objective) for outcome in outcomes])
    samples = np.empty((repeats, len(outcomes)))
    for sample in samples:
        drawn = rng.integers(0, len(target), len(target))
        sample[:] = [_objective(*outcome, drawn, objective) for outcome in outcomes]
    low, high = np.quantile(samples, (0.025, 0.975), axis=0)
    ahead_low, ahead_high = np.quantile(samples[:, :1] - samples, (0.025, 0.975), axis=0)
    columns = (values, low, high, values[0] - values, ahead_low, ahead_high)
    return [
        Judgement(name, *map(float, figures))
        for name, figures in zip(assemblies, np.stack(columns, axis=1), strict=True)
    ]


def _outcome(
    detections: Detections, target: np.ndarray, assembly: NumberAssembly | str
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each number is right (M,), and its confidence (M,)."""
    numbers = assemble_numbers(detections, assembly)
    correct = batch_edits(encode_numbers(numbers.strings), target).distance == 0
    return correct, numbers.confidences


def _objective(
    correct: np.ndarray, confidences: np.ndarray, drawn: np.ndarray, objective: str
) -> float:
    if objective == 'accuracy':
        return correct[drawn].mean()
    return coverage_at_accuracy(correct[drawn], confidences[drawn], 0.98)
