import copy

import mmengine.device.utils
import pytest
import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.logging import MMLogger
from torch import nn

from mmdet_digits.engine import portable_amp_optim_wrapper
from mmdet_digits.engine.portable_amp_optim_wrapper import autocast_dtype


@pytest.mark.parametrize(
    ('device', 'asked', 'has_bfloat16', 'given'),
    [
        ('cuda', 'auto', True, torch.bfloat16),
        ('cuda', 'auto', False, torch.float16),
        ('cuda', None, False, torch.float16),
        ('cuda', 'bfloat16', False, torch.bfloat16),
        ('cuda', torch.float16, True, torch.float16),
        ('cpu', 'auto', True, torch.bfloat16),
        ('cpu', 'auto', False, torch.bfloat16),  # slow, but there is nothing else
        ('cpu', 'bfloat16', False, torch.bfloat16),
        ('cpu', 'native', False, torch.float32),
        ('cpu', 'native', True, torch.bfloat16),
        ('cuda', 'native', False, torch.float16),
        ('mps', 'auto', None, torch.float32),  # MMEngine's autocast refuses it
        ('mps', 'native', None, torch.float32),
    ],
)
def test_dtype_fits_the_device(device, asked, has_bfloat16, given):
    assert autocast_dtype(device, asked, has_bfloat16) is given


@pytest.mark.parametrize(
    ('device', 'asked'), [('cpu', 'float16'), ('cuda', 'float64'), ('mps', 'float16')]
)
def test_impossible_dtype_is_an_error_that_names_the_possible(device, asked):
    takes = 'float32' if device == 'mps' else '.*bfloat16'
    with pytest.raises(ValueError, match=rf'{asked}.* on {device} takes {takes}'):
        autocast_dtype(device, asked)


def train(wrapper_type, steps, state=None, model=None, **options):
    """Train a regression a few steps; returns the model, the wrapper and the last output dtype."""
    torch.manual_seed(0)
    model = model or nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    wrapper = OPTIM_WRAPPERS.build(dict(type=wrapper_type, optimizer=optimizer, **options))
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
def test_native_is_full_precision_on_a_cpu_without_bfloat16(monkeypatch):
    monkeypatch.setattr(portable_amp_optim_wrapper, 'computes_bfloat16', lambda device: False)
    native, _, dtype = train('PortableAmpOptimWrapper', 4, dtype='native')
    full, _, _ = train('OptimWrapper', 4)
    assert dtype is torch.float32
    for a, b in zip(native.parameters(), full.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_apples_gpu_is_no_cpu(monkeypatch):
    """There mixed precision is float32, and the log says so."""
    monkeypatch.setattr(mmengine.device.utils, 'DEVICE', 'mps')
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info', said.append)
    _, _, dtype = train('PortableAmpOptimWrapper', 2)
    assert dtype is torch.float32
    assert said == ['Full precision: this mps has no mixed precision in MMEngine.']


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_state_survives_saving_and_loading():
    straight, _, _ = train('PortableAmpOptimWrapper', 4)
    model, wrapper, _ = train('PortableAmpOptimWrapper', 2)
    resumed, _, _ = train('PortableAmpOptimWrapper', 2, wrapper.state_dict(), model)
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('native', [True, False])
def test_the_choice_is_announced(monkeypatch, native):
    monkeypatch.setattr(portable_amp_optim_wrapper, 'computes_bfloat16', lambda device: native)
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info', said.append)
    train('PortableAmpOptimWrapper', 0)
    assert 'Mixed precision: ' in said[0]
    if not torch.cuda.is_available():
        assert 'bfloat16 autocast on cpu' in said[0]
        assert ('may be slower than float32' in said[0]) is not native


def scaled(fused, kind='SGD', clip=True):
    """A wrapper with float16's gradient scaler, on whatever device there is, and its weight."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    weight = nn.Parameter(torch.ones(4, device=device))
    optimizer = getattr(torch.optim, kind)([weight], lr=0.1, fused=fused)
    wrapper = dict(type='PortableAmpOptimWrapper', dtype='bfloat16', optimizer=optimizer)
    wrapper = OPTIM_WRAPPERS.build(wrapper | (dict(clip_grad=dict(max_norm=1.0)) if clip else {}))
    wrapper.loss_scaler = torch.amp.GradScaler(device, init_scale=1024.0)
    return wrapper, weight


@pytest.mark.parametrize('clip', [True, False])
@pytest.mark.parametrize('kind', ['SGD', 'AdamW'])
def test_fused_optimizers_unscale_and_clip_as_plain_ones(kind, clip):
    results = []
    for fused in (False, True):
        wrapper, weight = scaled(fused, kind, clip)
        for factor in (3.0, 0.1):
            wrapper.update_params((weight * torch.arange(4.0).to(weight) * factor).sum())
        results.append(weight.detach())
    torch.testing.assert_close(*results)
    assert not torch.equal(results[1], torch.ones_like(results[1]))


@pytest.mark.parametrize('clip', [True, False])
def test_fused_optimizers_skip_a_step_whose_gradient_overflows(clip):
    wrapper, weight = scaled(fused=True, clip=clip)
    wrapper.update_params((weight * float('inf')).sum())
    assert torch.equal(weight, torch.ones_like(weight))
    assert wrapper.loss_scaler.get_scale() == 512


def test_a_run_goes_on_in_the_other_precision():
    with_scaler, _ = scaled(fused=True)
    with_scaler.update_params(with_scaler.optimizer.param_groups[0]['params'][0].sum())
    _, without, _ = train('PortableAmpOptimWrapper', 1)
    fresh, _ = scaled(fused=True)
    fresh.load_state_dict(
        dict(with_scaler.state_dict(), loss_scaler=without.state_dict()['loss_scaler'])
    )
    assert fresh.loss_scaler.get_scale() == 1024


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_cuda_trains_in_float16_with_a_scaler():
    model = nn.Linear(8, 1).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(
        dict(type='PortableAmpOptimWrapper', dtype='float16', optimizer=optimizer)
    )
    with wrapper.optim_context(model):
        output = model(torch.randn(4, 8, device='cuda'))
    assert output.dtype is torch.float16
    assert wrapper.loss_scaler.is_enabled()
