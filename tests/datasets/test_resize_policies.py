import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes


def resize(width, height, boxes=(), **setting):
    results = {
        'img': np.zeros((height, width, 3), dtype=np.uint8),
        'img_shape': (height, width),
        'gt_bboxes': HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
    }
    return TRANSFORMS.build(setting)(results)


def size_of(results):
    height, width = results['img'].shape[:2]
    assert results['img_shape'] == (height, width)
    return width, height


@pytest.mark.parametrize(
    ('image', 'cap', 'expected'),
    [
        ((100, 40), 4, (192, 77)),  # fits before the cap
        ((48, 24), 4, (192, 96)),  # exactly at it
        ((30, 15), 4, (120, 60)),
        ((15, 30), 4, (60, 120)),
        ((30, 15), 1, (30, 15)),
        ((30, 15), 0.5, (15, 8)),
        ((400, 100), 4, (192, 48)),  # shrinking has no cap
    ],
)
def test_upscaling_is_capped(image, cap, expected):
    results = resize(*image, type='CappedResize', scale=(192, 96), max_upscale=cap)
    assert size_of(results) == expected


@pytest.mark.parametrize('image', [(100, 40), (40, 100), (37, 53), (500, 300)])
def test_a_cap_out_of_reach_changes_nothing(image):
    own = resize(*image, type='CappedResize', scale=(192, 96), max_upscale=1e6)
    assert size_of(own) == size_of(resize(*image, type='Resize', scale=(192, 96), keep_ratio=True))


@pytest.mark.parametrize(
    ('image', 'expected'),
    [
        ((100, 48), (200, 96)),
        ((20, 48), (40, 96)),  # a tall image gets the height too
        ((400, 200), (192, 96)),
        ((200, 48), (384, 92)),  # too wide
    ],
)
def test_images_get_one_height(image, expected):
    assert size_of(resize(*image, type='HeightResize', scale=(384, 96))) == expected


@pytest.mark.parametrize(
    'setting',
    [
        dict(type='CappedResize', scale=(192, 96), max_upscale=2),
        dict(type='HeightResize', scale=(400, 80)),
    ],
)
def test_boxes_go_with_the_image(setting):
    results = resize(50, 40, [[5, 10, 25, 40]], **setting, keep_ratio=True)
    assert size_of(results) == (100, 80) and results['scale_factor'] == (2.0, 2.0)
    assert results['gt_bboxes'].tensor.tolist() == [[10, 20, 50, 80]]


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(type='HeightResize', keep_ratio=False), 'keep_ratio=False'),
        (dict(type='CappedResize', max_upscale=0), 'max_upscale=0'),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(wrong, scale=(192, 96)))
