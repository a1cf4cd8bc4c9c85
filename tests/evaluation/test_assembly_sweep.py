import numpy as np
import pytest

from mmdet_digits.evaluation.functional.assembly_sweep import (
    IOUS,
    SCORES,
    SYSTEM_B_IOUS,
    SYSTEM_B_SCORES,
    VARIANTS,
    best_row,
    judge,
    score_sweep,
    sweep_grid,
    table_of,
)
from mmdet_digits.evaluation.functional.detection_noise import DetectionNoise, perturb_detections
from mmdet_digits.evaluation.functional.detections import Detections
from mmdet_digits.evaluation.functional.number_assembly import (
    PRESETS,
    NumberAssembly,
    assemble_numbers,
)
from mmdet_digits.evaluation.functional.true_numbers import true_numbers


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
        expected = (assemble_numbers(detections, row.assembly).strings == truth).mean()
        assert row.accuracy == pytest.approx(expected)
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


def test_objective_decides(noisy):
    rows = score_sweep(*noisy, sweep_grid())
    by_accuracy, by_coverage = best_row(rows), best_row(rows, 'coverage_at_98')
    assert by_accuracy.accuracy == max(row.accuracy for row in rows)
    assert by_coverage.coverage_at_98 == max(row.coverage_at_98 for row in rows)


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
