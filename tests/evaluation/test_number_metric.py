import mmdet_digits.register  # noqa: F401  (operators before mmdet)

# isort: split
import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mps_tensors import on_mps
from number_metric_rank import evaluate_rank

DIGITS = tuple('0123456789')


def boxes(count, scale=(1.0, 1.0)):
    return torch.tensor([[10.0 * i, 2.0, 10.0 * i + 8, 22.0] for i in range(count)]).reshape(
        -1, 4
    ) * torch.tensor([*scale, *scale])


def make_sample(predicted, target=None, scale=(1.0, 1.0), score=0.9, classes=DIGITS):
    """Build a sample whose digits stand side by side; ``target=None`` has no ground truth."""
    sample = DetDataSample(metainfo={'img_id': 1, 'ori_shape': (30, 90), 'scale_factor': scale})
    sample.pred_instances = InstanceData(
        bboxes=boxes(len(predicted)),
        labels=torch.tensor([classes.index(text) for text in predicted], dtype=torch.long),
        scores=torch.full((len(predicted),), score),
    )
    sample.gt_instances = InstanceData()
    if target is not None:
        sample.gt_instances.bboxes = boxes(len(target), scale)
        sample.gt_instances.labels = torch.tensor([classes.index(text) for text in target]).long()
    return sample


def evaluate(samples, classes=DIGITS, **kwargs):
    evaluator = Evaluator(METRICS.build({'type': 'NumberMetric', **kwargs}))
    evaluator.dataset_meta = {'classes': classes}
    for first in range(0, len(samples), 2):
        evaluator.process(samples[first : first + 2])
    return evaluator.evaluate(len(samples))


THREE = [('12', '12'), ('07', '7'), ('', '345')]


def check_three(metrics):
    assert metrics['number/accuracy'] == pytest.approx(1 / 3)
    assert metrics['number/digit_error_rate'] == pytest.approx(4 / 6)
    assert [metrics[f'number/{name}'] for name in ('too_short', 'too_long', 'wrong_digit')] == [
        1,
        1,
        0,
    ]


def test_three_samples():
    check_three(evaluate([make_sample(*pair) for pair in THREE]))


def test_presets_overrides_and_prefix():
    samples = [make_sample('07', '07'), make_sample('5', '5', score=0.55)]
    assert evaluate(samples)['number/accuracy'] == 1
    assert evaluate(samples, assembly='system_a')['number/accuracy'] == 0.5
    assert evaluate(samples, assembly='system_b', prefix='b')['b/accuracy'] == 0.5
    assert evaluate(samples, assembly={'score_thr': 0.95})['number/accuracy'] == 0


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (
            {'assembly': 'sytem_a'},
            'sytem_a: neither a preset nor a file(.|\n)*did you mean system_a',
        ),
        ({'assembly': {'iou_the': 0.5}}, "no key 'iou_the', did you mean 'iou_thr'"),
        ({'gt_order': 'up'}, "gt_order: expected one of .*, found 'up'"),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        METRICS.build({'type': 'NumberMetric', **kwargs})


def test_digits_go_by_the_names_of_the_classes():
    classes = ('1', '2', '3', '4', '5', '6', '7', '8', '9', '0')
    metrics = evaluate([make_sample('10', '10', classes=classes)], classes, assembly='system_a')
    assert metrics['number/accuracy'] == 1
    leading = evaluate([make_sample('01', '1', classes=classes)], classes, assembly='system_a')
    assert leading['number/accuracy'] == 1
    with pytest.raises(ValueError, match="expected the classes '0' to '9'"):
        evaluate([make_sample('1', '1')], classes=DIGITS[:9])


@pytest.mark.parametrize('scale', [(1.0, 1.0), (3.0, 0.2)])
def test_resized_and_wrapped_ground_truth(scale):
    sample = make_sample('123', '123', scale=scale)
    sample.gt_instances.bboxes = HorizontalBoxes(sample.gt_instances.bboxes)
    assert evaluate([sample])['number/accuracy'] == 1


def test_half_precision_predictions():
    sample = make_sample('12', '12')
    sample.pred_instances.bboxes = sample.pred_instances.bboxes.bfloat16()
    sample.pred_instances.scores = sample.pred_instances.scores.bfloat16()
    assert evaluate([sample])['number/accuracy'] == 1


def test_instances_of_the_annotation_file_come_first_and_ignored_ones_do_not_count():
    sample = make_sample('12', '9')
    boxes_and_labels = [([0, 0, 8, 20], 1, 0), ([10, 0, 18, 20], 2, 0), ([20, 0, 28, 20], 3, 1)]
    sample.set_metainfo(
        {
            'instances': [
                {'bbox': bbox, 'bbox_label': label, 'ignore_flag': flag}
                for bbox, label, flag in boxes_and_labels
            ]
        }
    )
    assert evaluate([sample])['number/accuracy'] == 1


def test_order_of_the_true_digits(monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info', said.append)
    sample = make_sample('12', '21')
    sample.gt_instances.bboxes = boxes(2).flip(0)  # the file lists the right digit first
    assert evaluate([sample])['number/accuracy'] == 1
    assert said == [
        'NumberMetric: 1 of 1 true numbers are annotated in another order than by '
        "gt_order='left', which is used"
    ]
    metrics = evaluate([sample], gt_order='annotation')
    assert (metrics['number/accuracy'], metrics['number/order']) == (0, 2)
    assert len(said) == 1


@pytest.mark.parametrize('target', [None, ''])
def test_without_ground_truth_there_is_one_message(target, monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', said.append)
    assert evaluate([make_sample('12', target), make_sample('', target)]) == {}
    assert len(said) == 1
    assert 'none of 2 samples has a ground-truth digit' in said[0]


def test_one_image_without_digits_counts():
    metrics = evaluate([make_sample('', ''), make_sample('1', ''), make_sample('2', '2')])
    assert metrics['number/accuracy'] == pytest.approx(2 / 3)
    assert metrics['number/extra'] == 1


def test_two_ranks_count_each_sample_once(tmp_path):
    padded = [*THREE, THREE[0]]  # as DistributedSampler pads: both ranks have two samples
    samples = [[make_sample(*pair).to_dict() for pair in padded[rank::2]] for rank in range(2)]
    torch.multiprocessing.spawn(evaluate_rank, args=(samples, 3, str(tmp_path)), nprocs=2)
    for rank in range(2):
        check_three(torch.load(tmp_path / f'metrics_{rank}.pth'))


def test_tensors_on_mps_are_read_as_those_on_the_cpu():
    """It has no float64."""
    samples = [make_sample(*pair) for pair in THREE]
    for sample in samples:
        for key in ('pred_instances', 'gt_instances'):
            setattr(sample, key, on_mps(getattr(sample, key)))
    check_three(evaluate(samples))
