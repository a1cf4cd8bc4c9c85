import pytest
from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator

from mmdet_digits.evaluation.evaluators import add_metric, metrics_of, own_metrics

ONE = dict(type='NumberMetric')
DUMP = dict(type='DumpDetResults', out_file_path='a.pkl')


@pytest.mark.parametrize(
    ('evaluator', 'metrics'),
    [
        (None, []),
        ([], []),
        (ONE, [ONE]),
        ([ONE], [ONE]),
        (dict(type='Evaluator', metrics=ONE), [ONE]),
        (dict(type='Evaluator', metrics=[ONE]), [ONE]),
    ],
)
def test_a_metric_is_added_to_whatever_a_config_may_have(evaluator, metrics):
    cfg = ConfigDict(test_evaluator=evaluator)
    assert metrics_of(cfg.test_evaluator) == metrics
    add_metric(cfg, DUMP)
    assert metrics_of(cfg.test_evaluator) == [*metrics, DUMP]
    if 'metrics' in (evaluator or {}):
        assert cfg.test_evaluator.type == 'Evaluator'
        assert len(Evaluator(cfg.test_evaluator.metrics).metrics) == 2


def test_own_metrics_are_those_of_nobody_else():
    keys = ['coco/bbox_mAP', 'number/accuracy', 'val/loss', 'step', 'time', 'mine/x', 'accuracy']
    assert own_metrics(keys) == ['mine/x', 'accuracy']
