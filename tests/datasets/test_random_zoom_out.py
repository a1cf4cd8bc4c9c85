import numpy as np
import pytest
from mmdet.registry import TRANSFORMS


def sample(size=(90, 40)):
    width, height = size
    rng = np.random.default_rng(0)
    return dict(
        img=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        img_shape=(height, width),
        gt_bboxes=np.array([[30.0, 8, 42, 32], [46.0, 8, 58, 32]], np.float32),
        gt_bboxes_labels=np.array([4, 2]),
        gt_ignore_flags=np.zeros(2, bool),
    )


def zoomed(seed, **options):
    np.random.seed(seed)
    return TRANSFORMS.build(dict(type='RandomZoomOut', **options))(sample())


def test_image_shape_and_boxes_are_those_of_the_scene():
    results = zoomed(0, prob=1.0, share=(0.4, 0.6))
    assert results['img_shape'] == results['img'].shape[:2]
    assert results['img_shape'][0] >= 40 / 0.6 - 1
    height, width = results['img_shape']
    bboxes = np.asarray(results['gt_bboxes'])
    assert (bboxes[:, 2:] - bboxes[:, :2]).tolist() == [[12, 24], [12, 24]]
    assert bboxes.min() >= 0 and bboxes[:, 2].max() <= width and bboxes[:, 3].max() <= height
    assert results['gt_bboxes_labels'].tolist() == [4, 2]


def test_it_draws_from_the_seeded_generator_alone():
    one, two, other = (zoomed(seed, prob=1.0)['img'] for seed in (7, 7, 8))
    assert np.array_equal(one, two)
    assert one.shape != other.shape or not np.array_equal(one, other)


@pytest.mark.parametrize(('prob', 'changed'), [(0.0, 0), (1.0, 20)])
def test_how_often(prob, changed):
    shapes = [zoomed(seed, prob=prob, share=(0.3, 0.5))['img'].shape for seed in range(20)]
    assert sum(shape != (40, 90, 3) for shape in shapes) == changed
