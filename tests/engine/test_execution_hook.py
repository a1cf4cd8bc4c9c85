"""The switches change how a model runs, not what it computes, and nothing in what it saves."""

import copy
import platform
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
import torch
from mmdet.registry import HOOKS, MODELS
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_runs import tiny_cfg
from torch import nn

from mmdet_digits.deploy.predictor import load_detector, predict_images
from mmdet_digits.engine.hooks.execution_hook import (
    fit_threads,
    follow_parameters,
    prepare_as_configured,
)

PLAIN = dict(channels_last=False)


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    return tiny_cfg(tmp_path)


def detector(cfg, **switches):
    """The model of a config with the same random weights each time, and the switches turned."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    HOOKS.build(dict(type='ExecutionHook', **switches)).prepare(model)
    return model


def read_batch(loader):
    dataset = Runner.build_dataloader(loader).dataset
    return pseudo_collate([dataset[i] for i in range(4)])


def losses(model, batch):
    data = model.train().data_preprocessor(copy.deepcopy(batch), True)
    torch.manual_seed(1)
    found = model.loss(data['inputs'], data['data_samples'])
    return {name: value.item() for name, value in model.parse_losses(found)[1].items()}


@torch.no_grad()
def features(model, batch):
    return model.eval().extract_feat(model.data_preprocessor(batch, False)['inputs'])


def test_feature_maps_have_their_channels_innermost_and_equal_plain_ones(cfg):
    batch = read_batch(cfg.train_dataloader)
    plain, last = (features(detector(cfg, **s), batch) for s in (PLAIN, {}))
    assert len(plain) == len(last) == 3
    for a, b in zip(plain, last, strict=True):
        assert a.is_contiguous()
        assert b.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='a switch of glibc')
def test_freed_memory_is_kept_unless_switched_off_or_the_user_has_a_word_with_glibc(monkeypatch):
    """Blocks of 64 MiB, taken and freed in turn: whether the system has to clear them each time."""
    script = """if True:
        import resource, mmdet_digits.register, numpy as np
        from torch.nn import Identity
        from mmdet_digits.engine.hooks.execution_hook import ExecutionHook
        ExecutionHook(keep_freed_memory={kept}).prepare(Identity())
        faults = []
        for _ in range(3):
            np.ones(2**23)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
        print(faults[2] - faults[1])"""
    cleared = []
    for kept, word in ((True, ''), (False, ''), (True, '65536')):
        monkeypatch.delenv('MALLOC_TRIM_THRESHOLD_', raising=False)
        monkeypatch.delenv('MALLOC_MMAP_THRESHOLD_', raising=False)
        if word:
            monkeypatch.setenv('MALLOC_MMAP_THRESHOLD_', word)
        done = subprocess.run(
            [sys.executable, '-c', script.format(kept=kept)], capture_output=True, text=True
        )
        cleared.append(int(done.stdout.split()[-1]))
    assert 5 * cleared[0] < min(cleared[1:])  # pages


def test_losses_equal_plain_ones(cfg):
    batch = read_batch(cfg.train_dataloader)
    plain, last = (losses(detector(cfg, **switches), batch) for switches in (PLAIN, {}))
    assert last == pytest.approx(plain, rel=1e-2)  # rounding decides between equal proposals
    for name in ('loss_rpn_cls', 'loss_rpn_bbox'):
        assert last[name] == pytest.approx(plain[name], rel=1e-5)


def test_the_predictor_obeys_the_config(cfg, tmp_path, digits_root):
    """Plain weights on disk; the same boxes with and without the switch."""
    torch.save({'state_dict': detector(cfg, **PLAIN).state_dict(), 'meta': {}}, tmp_path / 'a.pth')
    cfg.test_dataloader.num_workers = 0
    cfg.model.test_cfg.rcnn.max_per_img = 20
    found = []
    for hooks in ([], [dict(type='ExecutionHook')]):
        cfg.custom_hooks = hooks
        model = load_detector(cfg, tmp_path / 'a.pth', 'cpu')
        assert bool(hooks) != model.backbone.layer1[0].conv1.weight.is_contiguous()
        (batch,) = predict_images(model, cfg, sorted((digits_root / 'test').iterdir())[:4], 4)
        found.append(batch)
    for plain, last in zip(*found, strict=True):
        assert len(plain.scores) == len(last.scores) > 0
        assert last.scores == pytest.approx(plain.scores, abs=1e-4)


def test_a_checkpoint_has_the_names_and_the_layout_of_a_plain_run(cfg):
    cfg.train_cfg.max_epochs = 1
    cfg.custom_hooks = [dict(type='ExecutionHook')]
    runner = Runner.from_cfg(cfg)
    model = runner.train()
    assert runner.train_dataloader.pin_memory is torch.cuda.is_available()
    weight = model.backbone.layer1[0].conv1.weight
    assert not weight.is_contiguous()
    assert not runner.optim_wrapper.optimizer.state[weight]['exp_avg'].is_contiguous()

    saved = torch.load(Path(cfg.work_dir, 'epoch_1.pth'), weights_only=False)
    assert saved['state_dict'].keys() == detector(cfg, **PLAIN).state_dict().keys()
    assert all(value.is_contiguous() for value in saved['state_dict'].values())
    for name, value in model.state_dict().items():
        assert torch.equal(saved['state_dict'][name], value)
    states = saved['optimizer']['state'].values()
    assert states and all(s['exp_avg'].is_contiguous() for s in states)


@pytest.mark.parametrize('way', ['val', 'test'])
def test_validation_and_tests_run_with_it(cfg, way):
    if way == 'test':
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.default_hooks.checkpoint.save_best = None
    runner = Runner.from_cfg(cfg)
    seen = []
    runner.model.neck.register_forward_hook(lambda *args: seen.extend(args[2]))
    getattr(runner, way)()
    assert seen and all(m.is_contiguous(memory_format=torch.channels_last) for m in seen)


class LayoutsMatch(Hook):
    """Whether momentum lies in memory as the weights do, when training begins."""

    found = None

    def before_train_epoch(self, runner) -> None:
        states = runner.optim_wrapper.optimizer.state.items()
        self.found = {w.stride() == state['exp_avg'].stride() for w, state in states}


def test_momentum_gets_the_layout_of_the_weights_on_resume(cfg):
    for epochs in (1, 2):
        cfg.train_cfg.max_epochs = epochs
        cfg.resume = epochs == 2
        cfg.experiment_name += f'_{epochs}'
        cfg.visualizer.name = cfg.experiment_name
        runner, layouts = Runner.from_cfg(cfg), LayoutsMatch()
        runner.register_hook(layouts)
        runner.train()
        assert layouts.found == ({True} if epochs == 2 else set())


def two_steps(kind, options, fused, layouts):
    """A weight after two steps of an optimizer, which resumes from its state in between."""
    gradients = torch.randn(2, 4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    weight, state = torch.ones(4, 3, 3, 3), None
    for gradient, layout in zip(gradients, layouts, strict=True):
        parameter = nn.Parameter(weight.clone(memory_format=layout))
        optimizer = getattr(torch.optim, kind)([parameter], fused=fused, **options)
        if state:
            optimizer.load_state_dict(state)
            follow_parameters(optimizer)
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
        optimizer.step()
        weight, state = parameter.detach(), copy.deepcopy(optimizer.state_dict())
    return weight


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize(
    ('kind', 'options'), [('SGD', dict(lr=0.1, momentum=0.9)), ('AdamW', dict(lr=0.1))]
)
def test_fused_optimizers_go_on_right_in_another_layout(kind, options, turned):
    """Without ``follow_parameters`` the second step is wrong by as much as it is long."""
    layouts = [torch.contiguous_format, torch.channels_last]
    expected = two_steps(kind, options, fused=False, layouts=layouts[:1] * 2)
    found = two_steps(kind, options, fused=True, layouts=layouts[:: -1 if turned else 1])
    torch.testing.assert_close(found, expected)


@pytest.fixture
def tf32_of_torch():
    """Read torch's two settings: for matrices and for convolutions. They are put back."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    yield lambda: (matmul.allow_tf32, cudnn.allow_tf32)
    matmul.allow_tf32, cudnn.allow_tf32 = before


def test_tf32_is_torchs_own_choice_unless_asked_for(cfg, tf32_of_torch):
    detector(cfg)
    assert tf32_of_torch() == (False, True)
    for tf32 in (True, False):
        detector(cfg, tf32=tf32)
        assert tf32_of_torch() == (tf32, tf32)


@pytest.mark.parametrize(
    ('processors', 'variable', 'expected'), [(1, None, 1), (64, None, 3), (1, '3', 3)]
)
def test_no_more_threads_than_processors(monkeypatch, processors, variable, expected):
    monkeypatch.setattr(joblib, 'cpu_count', lambda: processors)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    if variable:
        monkeypatch.setenv('OMP_NUM_THREADS', variable)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        fit_threads()
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


def test_weights_whose_config_has_a_switch_more_are_prepared(cfg):
    cfg.custom_hooks = [dict(type='ExecutionHook', channels_last=True, compile=False)]
    model = MODELS.build(cfg.model)
    prepare_as_configured(model, cfg)
    assert model.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)
