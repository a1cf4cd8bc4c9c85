import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

SETTING = dict(
    type='RandomCenterAffine',
    max_rotate_degree=2.0,
    max_translate_ratio=0.02,
    scaling_ratio_range=(1.0, 1.0),
    max_shear_degree=0.0,
    border_val=(0, 0, 0),
)
HEIGHT, WIDTH = 60, 120
JITTER = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets' / 'digits_jitter.py'


def smooth_image():
    noise = np.random.default_rng(0).uniform(0, 255, (6, 12, 3)).astype(np.float32)
    return cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def augment(image, bboxes, seed=0, **changes):
    np.random.seed(seed)
    results = {
        'img': image,
        'img_shape': image.shape[:2],
        'gt_bboxes': HorizontalBoxes(torch.tensor(bboxes, dtype=torch.float32).reshape(-1, 4)),
        'gt_bboxes_labels': np.arange(len(bboxes)),
        'gt_ignore_flags': np.zeros(len(bboxes), dtype=bool),
    }
    return TRANSFORMS.build({**SETTING, **changes})(results)


def drawn(seed):
    """The angle in degrees and the shift in pixels that a seed gives."""
    np.random.seed(seed)
    angle = np.random.uniform(-2, 2)
    np.random.uniform(size=3)  # scale and two shears
    x, y = np.random.uniform(-0.02, 0.02), np.random.uniform(-0.02, 0.02)
    return angle, (x * WIDTH, y * HEIGHT)


@pytest.mark.parametrize('seed', range(4))
def test_image_moves_as_torchvisions(seed):
    image = smooth_image()
    angle, shift = drawn(seed)
    expected = functional.affine_image(
        torch.from_numpy(image).permute(2, 0, 1),
        angle=angle,
        translate=list(shift),
        scale=1.0,
        shear=[0.0, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    result = augment(image, [], seed)['img']
    assert result.shape == image.shape
    difference = np.abs(result - expected.permute(1, 2, 0).numpy())[4:-4, 4:-4]
    assert difference.max() < 2.0  # OpenCV interpolates at 1/32 px
    assert np.abs(result - image)[4:-4, 4:-4].max() > 5.0


@pytest.mark.parametrize('seed', range(4))
def test_boxes_move_with_what_they_hold(seed):
    """A white rectangle and its box go to the same place, to the pixel that interpolation blurs."""
    x1, y1, x2, y2 = 40, 20, 54, 49
    image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    image[y1:y2, x1:x2] = 255
    results = augment(image, [[x1, y1, x2, y2]], seed, max_translate_ratio=0.1)
    ys, xs = np.nonzero(results['img'][..., 0] > 127)
    found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert results['gt_bboxes'].tensor[0].numpy() == pytest.approx(found, abs=1.0)
    assert found != [x1, y1, x2, y2]


def still(**changes):
    """Nothing moves but what is named."""
    return dict(max_rotate_degree=0.0, max_translate_ratio=0.0) | changes


def recipe():
    """The transform of the recipe for photographs."""
    found = Config.fromfile(JITTER).jitter[1].to_dict()
    return {key: value for key, value in found.items() if key not in ('type', 'border_val')}


@pytest.mark.parametrize(
    'changes',
    [
        still(scaling_ratio_range=(0.8, 0.8)),
        still(scaling_ratio_range=(1.2, 1.2)),
        still(max_translate_ratio=0.05),
        still(max_shear_degree=3.0),
        recipe(),
    ],
    ids=['smaller', 'larger', 'translation', 'shear', 'recipe'],
)
@pytest.mark.parametrize('seed', range(3))
def test_the_middle_of_a_box_follows_its_pixels_to_a_tenth(changes, seed):
    """Whatever the move: the middle of a rectangle is that of the box around its corners."""
    image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.float32)
    image[15:40, 70:81] = 1
    results = augment(image, [[70, 15, 81, 40]], seed, **changes)
    pixels = results['img'][..., 0].astype(float)
    xs, ys = (np.arange(side) + 0.5 for side in (WIDTH, HEIGHT))
    middle = np.array([pixels.sum(0) @ xs, pixels.sum(1) @ ys]) / pixels.sum()
    x1, y1, x2, y2 = results['gt_bboxes'].tensor[0].tolist()
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx(middle, abs=0.06)
    if not {'max_shear_degree', 'max_rotate_degree'} & {k for k, v in changes.items() if v}:
        assert (x2 - x1, y2 - y1) == pytest.approx([pixels.max(i).sum() for i in (0, 1)], abs=0.1)


@pytest.mark.parametrize(
    ('x', 'kept'), [(10.0, True), (-9.0, True), (-10.4, True), (-10.6, False), (-14.0, False)]
)
def test_a_digit_mostly_outside_has_no_box(x, kept):
    """The rule of RandomAreaErasing: 70 % of 15 px gone, and its class is nobody's guess."""
    boxes = [[x, 10, x + 15, 40], [60, 10, 70, 40]]
    results = augment(smooth_image(), boxes, **still())
    assert results['gt_bboxes_labels'].tolist() == ([0, 1] if kept else [1])
    assert len(results['gt_ignore_flags']) == len(results['gt_bboxes']) == 1 + kept


def test_middle_stays_and_the_size_too():
    x, y = WIDTH / 2, HEIGHT / 2
    box = [x - 7, y - 14, x + 7, y + 14]
    results = augment(smooth_image(), [box], max_rotate_degree=20.0, max_translate_ratio=0.0)
    x1, y1, x2, y2 = results['gt_bboxes'].tensor[0].tolist()
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((x, y), abs=0.3)
    assert results['img_shape'] == (HEIGHT, WIDTH)


def test_boxes_are_clipped_and_those_outside_go_with_their_labels():
    np.random.seed(0)
    shift = 0.5
    seeds = [seed for seed in range(50) if _moves_left(seed, shift)]
    boxes = [[0, 10, 6, 30], [50, 10, 64, 40]]
    results = augment(
        smooth_image(), boxes, seeds[0], max_rotate_degree=0.0, max_translate_ratio=shift
    )
    assert results['gt_bboxes_labels'].tolist() == [1]
    assert len(results['gt_ignore_flags']) == len(results['gt_bboxes']) == 1
    assert (results['gt_bboxes'].tensor >= 0).all()


def _moves_left(seed, share):
    np.random.seed(seed)
    np.random.uniform(size=4)
    x, y = np.random.uniform(-share, share, 2)
    return -40 < x * WIDTH < -10 and math.fabs(y) < 0.1


def test_image_without_boxes():
    assert len(augment(smooth_image(), [])['gt_bboxes']) == 0
