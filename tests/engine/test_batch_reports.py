import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_digits.engine.batch_reports import (
    image_list,
    next_batch_size,
    padded_shape,
    size_report,
)


def sample(number, boxes=1):
    instances = InstanceData(bboxes=torch.zeros(boxes, 4), labels=torch.zeros(boxes))
    meta = dict(img_id=number, img_path=f'train/{number}.png')
    return DetDataSample(metainfo=meta, gt_instances=instances)


@pytest.mark.parametrize(
    ('batch', 'smaller'), [(24, 12), (9, 4), (3, 1), (2, 1), (1, None)], ids=str
)
def test_next_batch_size_is_half_until_there_is_none(batch, smaller):
    assert next_batch_size(batch) == smaller


@pytest.mark.parametrize(
    ('shapes', 'divisor', 'padded'),
    [
        ([(48, 96)], 1, (48, 96)),
        ([(48, 96)], 32, (64, 96)),
        ([(48, 20), (10, 97)], 32, (64, 128)),  # the sides may come from two images
        ([(33, 32), (32, 33)], 1, (33, 33)),
    ],
)
def test_padded_shape(shapes, divisor, padded):
    assert padded_shape(shapes, divisor) == padded


def test_size_report_names_the_largest_image():
    batch = dict(
        inputs=[torch.zeros(3, 40, 90), torch.zeros(3, 48, 80), torch.zeros(3, 20, 30)],
        data_samples=[sample(7, boxes=2), sample(8), sample(9, boxes=0)],
    )
    report = size_report(batch, divisor=32)
    assert '3 images in a batch, padded to 96 x 64 (width x height)' in report
    assert 'the largest is 80 x 48 (train/8.png); 3 boxes' in report


def test_long_image_lists_are_cut_short():
    assert image_list([sample(3), sample(4)]) == '3 (train/3.png), 4 (train/4.png)'
    text = image_list([sample(number) for number in range(10)])
    assert '7 (train/7.png) and 2 more' in text
    assert '8 (' not in text
