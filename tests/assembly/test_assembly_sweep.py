import numpy as np
import pytest
from detection_noise import DetectionNoise, perturb_detections

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import (
    PRESETS,
    NumberAssembly,
    assemble_numbers,
)
from mmdet_digits.assembly.number_scores import coverage_at_accuracy
from mmdet_digits.assembly.sweep import (
    IOUS,
    SCORES,
    SYSTEM_B_IOUS,
    SYSTEM_B_SCORES,
    VARIANTS,
    SweepRow,
    best_row,
    judge,
    score_sweep,
    sweep_grid,
    table_of,
)
from mmdet_digits.assembly.true_numbers import true_numbers


@pytest.fixture(scope='module')
def noisy():
    """Two hundred numbers of two digits as a poor detector sees them, and the truth."""
    x = np.tile([0.0, 22.0], 200)
    bboxes = np.stack([x, np.zeros(400), x + 20, np.full(400, 40.0)], axis=1)
    labels = np.random.default_rng(1).integers(0, 10, 400)
    truth = Detections(np.repeat(np.arange(200), 2), bboxes, labels, np.ones(400), 200)
    noise = DetectionNoise(0.05, 0.05, 0.05, 0.2, 0.2, 0.1, 0.3)
    sizes = np.full((200, 2), 60.0)
    return perturb_detections(truth, sizes, noise, seed=2), true_numbers(truth)


def test_grid_has_every_variant_and_system_b_ablation():
    grid = sweep_grid()
    assert len(set(grid)) == len(grid) == len(SCORES) * len(IOUS) * len(VARIANTS)
    of_system_b = {(s.score_thr, s.iou_thr) for name, s in grid if name == 'system_b'}
    assert {(score, iou) for score in SYSTEM_B_SCORES for iou in SYSTEM_B_IOUS} <= of_system_b
    assert grid[0] == ('default', NumberAssembly())
    assert ('system_b', PRESETS['system_b']) in grid


def test_sweep_gives_what_single_assemblies_give(noisy):
    detections, truth = noisy
    grid = sweep_grid((0.3, 0.6), (None, 0.3))
    rows = score_sweep(detections, truth, grid)
    assert [(row.variant, row.assembly) for row in rows] == grid
    for row in rows:
        numbers = assemble_numbers(detections, row.assembly)
        right = numbers.strings == truth
        assert row.accuracy == pytest.approx(right.mean())
        assert row.coverage_at_98 == coverage_at_accuracy(right, numbers.confidences, 0.98)
    assert len({row.coverage_at_98 for row in rows}) > 3
    table = table_of(rows, 'system_b', (0.3, 0.6, 0.9), (None, 0.3))
    assert table.shape == (2, 3) and np.isnan(table[:, 2]).all()
    own = (assemble_numbers(detections, 'system_b').strings == truth).mean()
    assert table[1, 1] == pytest.approx(own)


def test_of_equal_settings_the_plainest_is_chosen():
    """One sure digit: every setting reads it."""
    detections = Detections([0], [[0.0, 0, 10, 20]], [4], [0.99], 1)
    rows = score_sweep(detections, ['4'], sweep_grid())
    assert best_row(rows).variant == 'default'
    assert best_row(rows).assembly == NumberAssembly()


def test_objective_decides_and_of_equal_ones_the_first():
    figures = {'a': (0.7, 0.9), 'b': (0.9, 0.1), 'c': (0.9, 0.3), 'd': (0.8, 0.9)}
    rows = [SweepRow(name, NumberAssembly(), *values) for name, values in figures.items()]
    assert best_row(rows).variant == best_row(rows, 'accuracy').variant == 'b'
    assert best_row(rows, 'coverage_at_98').variant == 'a'


def test_figures_of_a_sweep_by_hand():
    """At 0.5 all three are read, the second one wrongly; at 0.9 only the first."""
    bboxes = [[0.0, 0, 10, 20]] * 3
    detections = Detections([0, 1, 2], bboxes, [4, 5, 6], [0.95, 0.8, 0.7], 3)
    grid = sweep_grid((0.5, 0.9), (0.5,), {'default': {}})
    rows = score_sweep(detections, ['4', '9', '6'], grid)
    figures = {row.assembly.score_thr: (row.accuracy, row.coverage_at_98) for row in rows}
    assert figures == {0.5: (2 / 3, 1 / 3), 0.9: (1 / 3, 1 / 3)}


def test_intervals(noisy):
    detections, truth = noisy
    settings = {
        'chosen': NumberAssembly(score_thr=0.3),
        'a': 'system_a',
        'again': {'score_thr': 0.3},
    }
    judged = judge(detections, truth, settings, repeats=300, seed=5)
    assert judged == judge(detections, truth, settings, repeats=300, seed=5)
    p = judged[0].value
    half = 1.96 * np.sqrt(p * (1 - p) / len(truth))
    assert judged[0].low == pytest.approx(p - half, abs=0.02)
    assert judged[0].high == pytest.approx(p + half, abs=0.02)
    assert judged[1].ahead == pytest.approx(p - judged[1].value)
    assert judged[1].ahead_low < judged[1].ahead < judged[1].ahead_high
    assert (judged[2].ahead, judged[2].ahead_low, judged[2].ahead_high) == (0, 0, 0)


def test_interval_of_the_coverage(noisy):
    (judged,) = judge(*noisy, {'chosen': 'default'}, 'coverage_at_98', repeats=50)
    assert 0 <= judged.low <= judged.value <= judged.high <= 1
