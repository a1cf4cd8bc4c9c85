"""mmcv's deformable attention by the way that it takes on CUDA, through its compiled module."""

import numpy as np
import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from torch.autograd import gradcheck

SHAPES = [(3, 4), (2, 2)]
QUERIES, HEADS, CHANNELS, POINTS = 5, 2, 3, 4


@pytest.fixture
def inputs(device):
    """Values, sampling locations, some outside of the image, and weights, in float64."""
    torch.manual_seed(0)
    pixels = sum(height * width for height, width in SHAPES)
    value = torch.randn(2, pixels, HEADS, CHANNELS)
    locations = torch.rand(2, QUERIES, HEADS, len(SHAPES), POINTS, 2) * 1.4 - 0.2
    weights = torch.randn(2, QUERIES, HEADS, len(SHAPES) * POINTS).softmax(-1)
    tensors = (value, locations, weights.view(2, QUERIES, HEADS, len(SHAPES), POINTS))
    return [tensor.double().to(device) for tensor in tensors]


def attend(value, locations, weights):
    shapes = torch.tensor(SHAPES, device=value.device)
    starts = torch.tensor([0, 12], device=value.device)
    return MultiScaleDeformableAttnFunction.apply(value, shapes, starts, locations, weights, 64)


def reference(value, locations, weights):
    """One sample after the other: between pixels, whose centres are at (k + 0.5) / size."""
    value, locations, weights = (tensor.cpu().numpy() for tensor in (value, locations, weights))
    output = np.zeros((2, QUERIES, HEADS, CHANNELS))
    start = 0
    for level, (height, width) in enumerate(SHAPES):
        maps = value[:, start : start + height * width].reshape(2, height, width, HEADS, CHANNELS)
        start += height * width
        for b, q, head, point in np.ndindex(2, QUERIES, HEADS, POINTS):
            x, y = locations[b, q, head, level, point] * (width, height) - 0.5
            for row, col in np.ndindex(height, width):
                share = max(0, 1 - abs(y - row)) * max(0, 1 - abs(x - col))
                weight = share * weights[b, q, head, level, point]
                output[b, q, head] += weight * maps[b, row, col, head]
    return output.reshape(2, QUERIES, HEADS * CHANNELS)


def test_equals_reference(inputs, bridge):
    np.testing.assert_allclose(attend(*inputs).cpu().numpy(), reference(*inputs), atol=1e-12)


def test_gradients(inputs, bridge):
    weights = inputs[2]
    for tensor in inputs:
        tensor.requires_grad_()
    # mmcv promises gradients for the values; it returns those of the others in this order.
    output = attend(*inputs)
    plain = multi_scale_deformable_attn_pytorch(inputs[0], SHAPES, *inputs[1:])
    along = torch.randn_like(output)
    found = torch.autograd.grad(output, inputs, along)
    expected = torch.autograd.grad(plain, inputs, along)
    torch.testing.assert_close(found, expected)
    assert all(gradient.abs().sum() > 0 for gradient in found) and weights.grad is None
    assert gradcheck(lambda value: attend(value, *inputs[1:]), inputs[0], atol=1e-6)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_rounds_only_what_goes_in_and_out(inputs, dtype, bridge):
    rounded = [tensor.to(dtype) for tensor in inputs]
    exact = reference(*(tensor.double() for tensor in rounded))
    found = attend(*rounded)
    assert found.dtype is dtype
    bound = torch.finfo(dtype).eps * np.abs(exact).max()
    np.testing.assert_allclose(found.double().cpu().numpy(), exact, atol=bound)
