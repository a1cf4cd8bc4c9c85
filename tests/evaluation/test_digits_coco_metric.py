import json

import pytest
import torch
from mmdet.registry import METRICS

from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.errors import InputError

BOX = [10.0, 5.0, 30.0, 45.0]  # xyxy


def evaluate(path, categories, labels):
    """Score one image with a 3 in it, on which the labels are predicted at the right place."""
    three = next(c['id'] for c in categories if c['name'] == '3')
    box = dict(id=1, image_id=1, category_id=three, bbox=[10, 5, 20, 40], area=800, iscrowd=0)
    image = dict(id=1, file_name='1.png', width=100, height=60)
    content = dict(images=[image], annotations=[box], categories=categories)
    path.write_text(json.dumps(content))
    metric = METRICS.build(dict(type='DigitsCocoMetric', ann_file=str(path), classwise=True))
    metric.dataset_meta = dict(classes=DIGITS)
    prediction = dict(
        bboxes=torch.tensor([BOX] * len(labels)).reshape(-1, 4),
        scores=torch.full((len(labels),), 0.9),
        labels=torch.tensor(labels, dtype=torch.long),
    )
    metric.process({}, [dict(img_id=1, ori_shape=(60, 100), pred_instances=prediction)])
    return metric.evaluate(size=1)


@pytest.mark.parametrize('order', [range(10), range(9, -1, -1), (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)])
def test_order_of_the_categories_does_not_matter(tmp_path, order):
    categories = [{'id': 50 - digit, 'name': str(digit)} for digit in order]
    metrics = evaluate(tmp_path / 'a.json', categories, [3])
    assert metrics['coco/bbox_mAP'] == metrics['coco/3_precision'] == 1.0
    assert evaluate(tmp_path / 'a.json', categories, [6])['coco/bbox_mAP'] == 0.0


def test_a_model_that_finds_nothing_scores_zero(tmp_path):
    categories = [{'id': digit + 1, 'name': str(digit)} for digit in range(10)]
    metrics = evaluate(tmp_path / 'a.json', categories, [])
    assert metrics['coco/bbox_mAP'] == metrics['coco/bbox_mAP_50'] == 0.0
    assert metrics['coco/3_precision'] == metrics['coco/7_precision'] == 0.0


def test_categories_that_are_no_digit_are_left_out_as_the_data_set_does(tmp_path):
    path = tmp_path / 'a.json'
    categories = [{'id': 0, 'name': 'digits'}]  # as Roboflow exports a super-category
    categories += [{'id': digit + 1, 'name': str(digit)} for digit in range(10)]
    assert evaluate(path, categories, [3])['coco/bbox_mAP'] == 1.0
    content = json.loads(path.read_text())
    content['categories'].append({'id': 20, 'name': 'point'})
    point = dict(id=2, image_id=1, category_id=20, bbox=[50, 40, 4, 4])
    content['annotations'].append(point)
    del content['annotations'][0]['area'], content['annotations'][0]['iscrowd']
    path.write_text(json.dumps(content))
    metric = METRICS.build(dict(type='DigitsCocoMetric', ann_file=str(path)))
    metric.dataset_meta = dict(classes=DIGITS, ignore_classes=('point',))
    found = dict(bboxes=torch.tensor([BOX]), scores=torch.ones(1), labels=torch.tensor([3]))
    metric.process({}, [dict(img_id=1, ori_shape=(60, 100), pred_instances=found)])
    assert metric.evaluate(size=1)['coco/bbox_mAP'] == 1.0


def test_a_missing_file_is_told_when_the_metric_is_built(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        METRICS.build(dict(type='DigitsCocoMetric', ann_file=str(tmp_path / 'none.json')))
