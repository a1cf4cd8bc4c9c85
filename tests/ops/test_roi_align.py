import math

import numpy as np
import pytest
import torch
from mmcv.ops import RoIAlign, roi_align
from torch.autograd import gradcheck

ROIS = [
    [0, 0, 0, 31, 23],
    [1, 3.3, 2.7, 20.1, 9.9],
    [1, -6, -4, 10, 8],  # crosses the image edge
    [0, 25, 18, 47, 33],
    [0, 100, 100, 120, 120],  # outside
    [1, 7, 7, 7, 7],  # no area
]


def bilinear(image, y, x):
    """Sample (C, H, W) at pixel coordinates whose integers are pixel centres."""
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(len(image))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = image[:, top, left] * (1 - dx) + image[:, top, right] * dx
    lower = image[:, bottom, left] * (1 - dx) + image[:, bottom, right] * dx
    return upper * (1 - dy) + lower * dy


def roi_align_reference(features, rois, size, scale, sampling_ratio, aligned):
    """Average a grid of samples in every cell; plain loops in float64."""
    rows, cols = size
    output = np.zeros((len(rois), features.shape[1], rows, cols))
    for k, (image_index, *box) in enumerate(rois):
        x1, y1, x2, y2 = np.array(box) * scale - (0.5 if aligned else 0)
        width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
        ny = sampling_ratio or math.ceil(height / rows)
        nx = sampling_ratio or math.ceil(width / cols)
        for r, c in np.ndindex(rows, cols):
            for iy, ix in np.ndindex(ny, nx):
                y = y1 + (r + (iy + 0.5) / ny) * height / rows
                x = x1 + (c + (ix + 0.5) / nx) * width / cols
                sample = bilinear(features[int(image_index)], y, x)
                output[k, :, r, c] += sample / (ny * nx)
    return output


def random_features(*shape, dtype=torch.float32, device='cpu'):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, dtype)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('scale', [1.0, 0.5])
@pytest.mark.parametrize('size', [(3, 3), (2, 4)])
def test_equals_reference(size, scale, sampling_ratio, aligned, device):
    features = random_features(2, 3, 24, 32, device=device)
    rois = torch.tensor(ROIS, device=device)
    output = roi_align(features, rois, size, scale, sampling_ratio, 'avg', aligned)
    options = (size, scale, sampling_ratio, aligned)
    expected = roi_align_reference(features.double().cpu().numpy(), ROIS, *options)
    np.testing.assert_allclose(output.cpu(), expected, atol=2e-5)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_ext_route_equals_torchvision_route(sampling_ratio, aligned, device):
    rois = torch.tensor(ROIS, device=device)
    results = []
    for use_torchvision in (False, True):
        features = random_features(2, 8, 24, 32, device=device).requires_grad_()
        layer = RoIAlign(7, 0.5, sampling_ratio, 'avg', aligned, use_torchvision)
        output = layer(features, rois)
        (output**2).sum().backward()
        results.append((output, features.grad))
    same = torch.equal if device == 'cpu' else torch.allclose  # CUDA adds in any order
    assert all(same(*pair) for pair in zip(*results, strict=True))


@pytest.mark.usefixtures('bridge')
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('roi_dtype', [torch.float32, torch.float64])
def test_gradient(roi_dtype, sampling_ratio, aligned, device):
    features = random_features(2, 2, 6, 8, dtype=torch.float64, device=device).requires_grad_()
    rois = torch.tensor([[0, 0.3, 1, 6, 5], [1, -1, 2, 9, 4.7]], dtype=roi_dtype, device=device)
    gradcheck(
        lambda x: roi_align(x, rois, (2, 3), 0.8, sampling_ratio, 'avg', aligned),
        features,
        nondet_tol=0 if device == 'cpu' else 1e-9,
    )


@pytest.mark.usefixtures('bridge')
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_features_leave_roi_coordinates_alone(dtype, device):
    features = random_features(1, 4, 8, 700, dtype=dtype, device=device).requires_grad_()
    rois = torch.tensor([[0, 601.3, 1.1, 609.7, 6.3]], device=device)
    output = roi_align(features, rois, 4, 1.0, 2)
    (grad,) = torch.autograd.grad(output.sum(), features)
    wide = features.detach().float().requires_grad_()
    wide_output = roi_align(wide, rois, 4, 1.0, 2)
    (wide_grad,) = torch.autograd.grad(wide_output.sum(), wide)
    assert output.dtype == grad.dtype == dtype
    torch.testing.assert_close(output, wide_output.to(dtype), rtol=0, atol=0)
    torch.testing.assert_close(grad, wide_grad.to(dtype), rtol=1e-2, atol=0)


@pytest.mark.usefixtures('bridge')
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast(dtype, device):
    features, rois = random_features(2, 3, 24, 32, device=device), torch.tensor(ROIS, device=device)
    with torch.autocast(device, dtype):
        output = roi_align(features, rois, 7, 1.0, 2)
    assert torch.equal(output, roi_align(features, rois, 7, 1.0, 2))


def test_no_rois(device):
    features = random_features(2, 3, 8, 8, device=device).requires_grad_()
    output = roi_align(features, torch.zeros(0, 5, device=device), 7)
    output.sum().backward()
    assert output.shape == (0, 3, 7, 7)
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_memory_layout_does_not_matter():
    features, rois = random_features(2, 3, 24, 32), torch.tensor(ROIS)
    strided = features.contiguous(memory_format=torch.channels_last)
    wide_rois = torch.cat([rois, rois], dim=1)[:, :5]
    assert torch.equal(roi_align(strided, wide_rois, 7), roi_align(features, rois, 7))


@pytest.mark.usefixtures('bridge')
def test_region_of_negative_size_gives_zeros():
    output = roi_align(random_features(1, 1, 8, 8), torch.tensor([[0.0, 6, 6, 2, 2]]), 2)
    assert not output.any()


@pytest.mark.usefixtures('bridge')
def test_maximum_pooling_is_refused():
    with pytest.raises(NotImplementedError, match="pool_mode='max'"):
        roi_align(random_features(1, 1, 8, 8), torch.tensor([[0.0, 0, 0, 4, 4]]), 2, 1.0, 0, 'max')
