import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from mmdet_digits.canvas import fit, fitted_size

CANVAS = (192, 96)


def resized(width, height, boxes=(), **setting):
    results = {
        'img': np.full((height, width, 3), 7, dtype=np.uint8),
        'img_shape': (height, width),
        'gt_bboxes': HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
    }
    return TRANSFORMS.build(dict(type='CanvasResize', scale=CANVAS, **setting))(results)


@pytest.mark.parametrize(
    ('size', 'fitted'),
    [
        ((100, 40), (192, 77)),  # as wide as the canvas
        ((192, 96), (192, 96)),
        ((96, 48), (192, 96)),
        ((20, 48), (40, 96)),  # upright: as high as the canvas
        ((400, 100), (192, 48)),
        ((1000, 1), (192, 1)),  # never less than a pixel
        ((1, 1000), (1, 96)),
    ],
)
def test_an_image_is_fitted_and_the_rest_is_filled(size, fitted):
    assert fitted_size(size, CANVAS) == fitted
    results = resized(*size)
    width, height = fitted
    assert results['img'].shape == results['pad_shape'] == (96, 192, 3)
    assert results['img_shape'] == (height, width)
    assert (results['img'][:height, :width] == 7).all()
    filled = np.ones((96, 192), dtype=bool)
    filled[:height, :width] = False
    assert (results['img'][filled] == (104, 116, 124)).all()


def test_boxes_go_with_the_image_and_end_with_it():
    results = resized(50, 40, [[5, 10, 25, 40], [-5, 10, 60, 20]])
    factors = results['scale_factor']
    assert results['img_shape'] == (96, 120) and factors == (2.4, 2.4)
    boxes = results['gt_bboxes'].tensor
    assert torch.allclose(boxes, torch.tensor([[12.0, 24, 60, 96], [0, 24, 120, 48]]))


def test_the_filling_can_be_chosen():
    assert (resized(20, 48, pad_val=(1, 2, 3))['img'][0, -1] == (1, 2, 3)).all()


@pytest.mark.parametrize('size', [(100, 40), (20, 48), (400, 100), (37, 53)])
def test_what_reads_without_torch_fits_images_alike(size):
    image = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    results = TRANSFORMS.build(dict(type='CanvasResize', scale=CANVAS))(
        dict(img=image, img_shape=image.shape[:2])
    )
    filled, (width, height) = fit(image, CANVAS)
    assert np.array_equal(filled, results['img'])
    assert results['img_shape'] == (height, width)
