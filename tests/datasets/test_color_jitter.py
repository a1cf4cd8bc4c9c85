import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from torchvision.transforms.v2 import functional

# what the transform draws, read from its random generator
ADJUST = [functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation]


def random_image(height=20, width=30):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def jitter(image, **kwargs):
    return TRANSFORMS.build({'type': 'ColorJitter', **kwargs})({'img': image.copy()})['img']


@pytest.mark.parametrize(
    ('name', 'adjust', 'value'),
    [
        ('brightness', functional.adjust_brightness, 1.3),
        ('contrast', functional.adjust_contrast, 0.7),
        ('saturation', functional.adjust_saturation, 1.2),
        ('hue', functional.adjust_hue, 0.1),
    ],
)
def test_each_change_is_torchvisions_on_the_same_factor(name, adjust, value):
    value = torch.tensor(value).item()  # it is drawn as float32
    image = random_image()
    rgb = torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
    expected = cv2.cvtColor(
        adjust(rgb, value).permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2BGR
    )
    result = jitter(image, **{name: (value, value)})
    assert result.dtype == np.uint8
    assert np.array_equal(result, expected)
    assert not np.array_equal(result, image)


def test_order_and_factors_are_drawn_from_the_given_ranges():
    image = random_image()
    rgb = torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
    torch.manual_seed(3)
    order = [i for i in torch.randperm(4).tolist() if i < 3]
    factors = [torch.empty(1).uniform_(1 - x, 1 + x).item() for x in (0.3, 0.3, 0.2)]
    for i in order:
        rgb = ADJUST[i](rgb, factors[i])
    torch.manual_seed(3)
    result = jitter(image, brightness=0.3, contrast=0.3, saturation=0.2)
    expected = cv2.cvtColor(rgb.permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2BGR)
    assert np.array_equal(result, expected)


def test_nothing_to_jitter_changes_nothing():
    assert np.array_equal(jitter(random_image()), random_image())
