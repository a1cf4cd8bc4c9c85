"""The metric reads annotation files as the data set does."""

import json

import pytest
import torch
from mmdet.registry import METRICS

from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.errors import InputError

CATEGORIES = [{'id': digit + 1, 'name': str(digit)} for digit in range(10)]


def write(path, start=b'', **box):
    """A file of one image with a 3 in it, as people have it."""
    box = {'id': 1, 'image_id': '1', 'category_id': 4, 'bbox': [10, 5, 20, 40]} | box
    image = {'id': '1', 'file_name': '1.png', 'width': 100, 'height': 60}
    plate = dict(box, id=2, category_id=0)
    content = {'images': [image], 'annotations': [box, plate]}
    content['categories'] = [{'id': 0, 'name': 'plate'}, *CATEGORIES[::-1]]
    path.write_bytes(start + json.dumps(content).encode())
    return path


def evaluate(path, **meta):
    metric = METRICS.build(dict(type='DigitsCocoMetric', ann_file=str(path)))
    metric.dataset_meta = dict(classes=DIGITS, **meta)
    found = dict(
        bboxes=torch.tensor([[10.0, 5.0, 30.0, 45.0]]),
        scores=torch.tensor([0.9]),
        labels=torch.tensor([3]),
    )
    metric.process({}, [dict(img_id=1, ori_shape=(60, 100), pred_instances=found)])
    return metric.evaluate(size=1)['coco/bbox_mAP']


@pytest.mark.parametrize('start', [b'', b'\xef\xbb\xbf'], ids=['plain', 'byte order mark'])
def test_what_can_be_known_is_read_and_ignored_classes_are_left_out(tmp_path, start):
    path = write(tmp_path / 'a.json', start)
    assert evaluate(path, ignore_classes=('plate',)) == 1.0
    with pytest.raises(InputError, match="'plate'"):
        evaluate(path)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        evaluate(tmp_path / 'a.json')
