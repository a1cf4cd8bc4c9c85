"""The matrix products give what torchvision's kernel gives."""

import pytest
import torch
from torch.autograd import gradcheck
from torchvision.ops import roi_align

from mmdet_digits.ops.separable_roi_align import separable_roi_align

ROIS = [
    [1, 3.3, 2.7, 20.1, 9.9],  # regions need not be in the order of their images
    [0, 0, 0, 31, 23],
    [1, -6, -4, 10, 8],  # crosses the image edge
    [0, 25, 18, 47, 33],
    [0, 100, 100, 120, 120],  # outside
    [1, 7, 7, 7, 7],  # no area
    [0, 2, 3, 5.5, 60],  # narrow and high: more samples down than across
]


def random_features(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 1, 2])
@pytest.mark.parametrize('scale', [1.0, 0.5, 0.125])
@pytest.mark.parametrize('size', [(7, 7), (2, 4)])
def test_equals_the_kernel_and_its_gradient(size, scale, sampling_ratio, aligned):
    results = []
    for pool in (roi_align, separable_roi_align):
        features = random_features(3, 8, 24, 32, dtype=torch.float64).requires_grad_()
        rois = torch.tensor(ROIS, dtype=torch.float64)
        pooled = pool(features, rois, size, scale, sampling_ratio, aligned)
        (gradient,) = torch.autograd.grad(pooled.square().sum(), features)
        results.append((pooled, gradient))
    for kernel, products in zip(*results, strict=True):
        assert kernel.abs().max() > 0.1
        torch.testing.assert_close(products, kernel, rtol=1e-9, atol=1e-9)


def test_float32_agrees_to_rounding():
    features, rois = random_features(3, 8, 24, 32), torch.tensor(ROIS)
    options = ((7, 7), 0.5, 0, True)
    torch.testing.assert_close(
        separable_roi_align(features, rois, *options),
        roi_align(features, rois, *options),
        rtol=1e-5,
        atol=2e-5,
    )


@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_gradient(sampling_ratio):
    features = random_features(2, 2, 6, 8, dtype=torch.float64).requires_grad_()
    rois = torch.tensor([[1, -1, 2, 9, 4.7], [0, 0.3, 1, 6, 5]], dtype=torch.float64)
    gradcheck(lambda x: separable_roi_align(x, rois, (2, 3), 0.8, sampling_ratio), features)


def test_autocast_rounds_nothing():
    features, rois = random_features(3, 8, 24, 32), torch.tensor(ROIS)
    with torch.autocast('cpu', torch.bfloat16):
        pooled = separable_roi_align(features, rois, (7, 7))
    assert torch.equal(pooled, separable_roi_align(features, rois, (7, 7)))


def test_memory_layout_does_not_matter():
    features, rois = random_features(3, 8, 24, 32), torch.tensor(ROIS)
    last = features.contiguous(memory_format=torch.channels_last)
    plain, strided = (separable_roi_align(f, rois, (7, 7), 0.5) for f in (features, last))
    torch.testing.assert_close(plain, strided, rtol=1e-6, atol=1e-6)


def test_no_rois():
    features = random_features(2, 3, 8, 8).requires_grad_()
    pooled = separable_roi_align(features, torch.zeros(0, 5), (7, 7))
    pooled.sum().backward()
    assert pooled.shape == (0, 3, 7, 7)
    assert torch.equal(features.grad, torch.zeros_like(features))
