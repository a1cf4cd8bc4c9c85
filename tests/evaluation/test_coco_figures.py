from dataclasses import replace

import numpy as np
import pytest
import torch
from coco_samples import make_coco, make_records, save_json
from mmdet.registry import METRICS

from mmdet_digits.assembly.number_assembly import PRESETS
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.coco_figures import coco_figures
from mmdet_digits.evaluation.offline import evaluate_predictions
from mmdet_digits.evaluation.predictions import parse_records

SHUFFLED = [{'id': 50 - digit, 'name': str(digit)} for digit in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)]


@pytest.fixture(params=[None, SHUFFLED], ids=['HW2', 'shuffled'])
def split(request, tmp_path):
    coco = make_coco(request.param, num_images=60)
    coco['annotations'][3]['iscrowd'] = 1
    coco['annotations'][7]['ignore'] = 1
    path = save_json(tmp_path / 'ann.json', coco)
    return read_annotations(path), parse_records(make_records(coco), 'pred.json')


def samples(annotations, predictions):
    """What a model would hand to the metrics."""
    for row, image_id in enumerate(annotations.image_ids.tolist()):
        mine = predictions.image_ids == image_id
        bboxes = torch.tensor(predictions.bboxes[mine])
        bboxes[:, 2:] += bboxes[:, :2]
        truth = annotations.truth.image_index == row
        yield {
            'img_id': image_id,
            'ori_shape': (60, 100),
            'pred_instances': {
                'bboxes': bboxes,
                'scores': torch.tensor(predictions.scores[mine]),
                'labels': torch.tensor(predictions.labels[mine]),
            },
            'gt_instances': {
                'bboxes': torch.tensor(annotations.truth.bboxes[truth]),
                'labels': torch.tensor(annotations.truth.labels[truth]),
            },
        }


def test_figures_are_those_of_the_metrics_unrounded(split):
    annotations, predictions = split
    offline = evaluate_predictions(predictions, annotations, PRESETS['system_b'])
    coco = dict(type='DigitsCocoMetric', ann_file=annotations.source, classwise=True)
    for config in (coco, dict(type='NumberMetric', assembly='system_b')):
        metric = METRICS.build(config)
        metric.dataset_meta = {'classes': DIGITS}
        metric.process({}, list(samples(annotations, predictions)))
        metrics = metric.evaluate(size=len(annotations.image_ids))
        tolerance = 5.1e-4 if config is coco else 1e-12
        assert metrics == pytest.approx({key: offline[key] for key in metrics}, abs=tolerance)
    assert offline['coco/bbox_mAP'] != round(offline['coco/bbox_mAP'], 3)


@pytest.mark.parametrize('marks', [{}, {'ignore': 1}, {'iscrowd': 1}, {'ignore': 1, 'iscrowd': 0}])
def test_digits_that_are_all_found_score_one_with_ids_from_0_and_whatever_is_ignored(
    tmp_path, marks
):
    coco = make_coco(num_images=4)
    assert coco['annotations'][0]['id'] == 0
    coco['annotations'][-1].update(marks)
    predictions = parse_records(make_records(coco, jitter=0, confused=0), 'pred.json')
    if marks:  # one that is not found
        keep = np.arange(len(predictions)) < len(predictions) - 1
        columns = ('image_ids', 'bboxes', 'scores', 'labels')
        predictions = replace(predictions, **{c: getattr(predictions, c)[keep] for c in columns})
    annotations = read_annotations(save_json(tmp_path / 'ann.json', coco))
    assert coco_figures(annotations, predictions)['coco/bbox_mAP'] == pytest.approx(1)
    metric = METRICS.build(dict(type='DigitsCocoMetric', ann_file=annotations.source))
    metric.dataset_meta = {'classes': DIGITS}
    metric.process({}, list(samples(annotations, predictions)))
    assert metric.evaluate(size=4)['coco/bbox_mAP'] == 1.0


def test_a_digit_without_a_true_box_has_no_figure_and_sizes_without_one_minus_one(tmp_path):
    coco = make_coco(num_images=1)
    box = coco['annotations'][0]
    del box['area'], box['iscrowd']  # both have an obvious default
    coco['annotations'] = [box]
    annotations = read_annotations(save_json(tmp_path / 'ann.json', coco))
    records = make_records(coco, jitter=0, confused=0)
    figures = coco_figures(annotations, parse_records(records, 'pred.json'))
    assert figures['coco/bbox_mAP'] == pytest.approx(1)
    assert figures['coco/bbox_mAP_l'] == -1
    assert sum('precision' in key for key in figures) == 1
