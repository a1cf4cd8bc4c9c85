import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mps_tensors import on_mps


def make_sample(predicted, target):
    """Build a sample from (digit, score) detections and true digits, side by side from the left."""

    def boxes(count):
        return torch.tensor([[10.0 * i, 0, 10.0 * i + 8, 20] for i in range(count)]).reshape(-1, 4)

    sample = DetDataSample()
    sample.pred_instances = InstanceData(
        bboxes=boxes(len(predicted)),
        labels=torch.tensor([digit for digit, _ in predicted], dtype=torch.long),
        scores=torch.tensor([score for _, score in predicted]),
    )
    sample.gt_instances = InstanceData(
        bboxes=HorizontalBoxes(boxes(len(target))), labels=torch.tensor(target, dtype=torch.long)
    )
    return sample


def evaluate(samples, **kwargs):
    evaluator = Evaluator(METRICS.build({'type': 'DigitsPrecisionMetric', **kwargs}))
    evaluator.process(samples[:1])
    evaluator.process(samples[1:])
    return evaluator.evaluate(len(samples))


SAMPLES = [
    make_sample([(1, 0.9), (2, 0.7), (3, 0.69)], [1, 2, 3]),  # 0.7 is enough
    make_sample([(4, 0.8)], [5]),
    make_sample([], [6, 7]),
]


def test_counts_above_the_score_of_all_samples_together():
    metrics = evaluate(SAMPLES)
    assert metrics['digits/precision'] == pytest.approx(2 / 3)
    assert metrics['digits/recall'] == pytest.approx(2 / 6)
    assert metrics['digits/f1'] == pytest.approx(4 / 9)


def test_parameters():
    metrics = evaluate(SAMPLES, score_thr=0.05, prefix='all')
    assert metrics['all/precision'] == pytest.approx(3 / 4)
    assert evaluate(SAMPLES, iou_thr=1.01)['digits/precision'] == 0


def test_a_model_that_finds_nothing_scores_0():
    assert set(evaluate([make_sample([], [1])]).values()) == {0.0}


def test_half_precision():
    sample = make_sample([(1, 0.9)], [1])
    sample.pred_instances.bboxes = sample.pred_instances.bboxes.bfloat16()
    sample.pred_instances.scores = sample.pred_instances.scores.bfloat16()
    assert evaluate([sample])['digits/precision'] == 1


def test_without_ground_truth_there_is_one_message(monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', said.append)
    assert evaluate([make_sample([(1, 0.9)], [])]) == {}
    assert len(said) == 1


def test_tensors_on_mps_are_scored_as_those_on_the_cpu():
    """It has no float64."""
    samples = [
        DetDataSample(pred_instances=on_mps(s.pred_instances), gt_instances=on_mps(s.gt_instances))
        for s in SAMPLES
    ]
    assert evaluate(samples) == evaluate(SAMPLES)
