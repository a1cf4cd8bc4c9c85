import copy

import pytest
import torch
from mmdet.registry import OPTIM_WRAPPERS
from torch import nn

from mmdet_digits.engine.portable_amp_optim_wrapper import autocast_dtype


@pytest.mark.parametrize(
    ('device', 'asked', 'given'),
    [
        ('cuda', None, torch.float16),
        ('cuda', 'bfloat16', torch.bfloat16),
        ('cuda', torch.float16, torch.float16),
        ('cpu', None, torch.bfloat16),
        ('cpu', 'bfloat16', torch.bfloat16),
    ],
)
def test_dtype_fits_the_device(device, asked, given):
    assert autocast_dtype(device, asked) is given


@pytest.mark.parametrize(('device', 'asked'), [('cpu', 'float16'), ('cuda', 'float64')])
def test_impossible_dtype_is_an_error_that_names_the_possible(device, asked):
    with pytest.raises(ValueError, match=rf'{asked}.* on {device} takes .*bfloat16'):
        autocast_dtype(device, asked)


def train(wrapper_type, steps, state=None, model=None):
    """Train a regression a few steps; returns the model, the wrapper and the last output dtype."""
    torch.manual_seed(0)
    model = model or nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    wrapper = OPTIM_WRAPPERS.build(dict(type=wrapper_type, optimizer=optimizer))
    if state:
        wrapper.load_state_dict(copy.deepcopy(state))
    inputs = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
    targets = inputs.sum(1, keepdim=True)
    dtype = None
    for _ in range(steps):
        with wrapper.optim_context(model):
            output = model(inputs)
        wrapper.update_params((output.float() - targets).square().mean())
        dtype = output.dtype
    return model, wrapper, dtype


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_cpu_trains_in_bfloat16_close_to_float32():
    mixed, _, dtype = train('PortableAmpOptimWrapper', 20)
    full, _, _ = train('OptimWrapper', 20)
    assert dtype is torch.bfloat16
    assert next(mixed.parameters()).dtype is torch.float32
    inputs = torch.randn(16, 8, generator=torch.Generator().manual_seed(2))
    untrained, _, _ = train('OptimWrapper', 0)
    gap = (mixed(inputs) - full(inputs)).abs().mean()
    assert gap < 0.05 * (untrained(inputs) - full(inputs)).abs().mean()


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_state_survives_saving_and_loading():
    straight, _, _ = train('PortableAmpOptimWrapper', 4)
    model, wrapper, _ = train('PortableAmpOptimWrapper', 2)
    resumed, _, _ = train('PortableAmpOptimWrapper', 2, wrapper.state_dict(), model)
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_cuda_trains_in_float16_with_a_scaler():
    model = nn.Linear(8, 1).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(dict(type='PortableAmpOptimWrapper', optimizer=optimizer))
    with wrapper.optim_context(model):
        output = model(torch.randn(4, 8, device='cuda'))
    assert output.dtype is torch.float16
    assert wrapper.loss_scaler.is_enabled()
