"""A loss that is no number stops the run, with what gives the same batch again."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from recorded_runs import digest
from tiny_runs import tiny_cfg

from mmdet_digits.errors import RunError

LAST = 3  # iterations of the one epoch
MODULE = 'neck.fpn_convs.0.conv'


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = tiny_cfg(tmp_path, images=2 * LAST, batch=2, augmented=True)
    cfg.train_cfg.max_epochs = 1
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint = None
    cfg.custom_hooks.append(dict(type='NonFiniteLossHook'))
    return cfg


class Before(Hook):
    """Do something before an iteration, and note the weights that it starts from."""

    priority = 'VERY_LOW'

    def __init__(self, iteration, action) -> None:
        self.iteration, self.action = iteration, action
        self.batch = self.weights = None

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter + 1 == self.iteration:
            self.action(runner)
        if runner.iter + 1 >= self.iteration:
            self.batch = data_batch
            self.weights = parameters(runner)


def parameters(runner):
    return digest(dict(runner.model.named_parameters()))


def spoil_weight(runner):
    runner.model.get_submodule(MODULE).weight.data[0, 0, 0, 0] = math.inf


def spoil_gradient(runner):
    runner.model.get_submodule(MODULE).weight.register_hook(lambda gradient: gradient * math.nan)


def use_scaler(runner):
    """As on CUDA in float16."""
    runner.optim_wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=1024)


def run(cfg, *hooks):
    """Train; returns the runner and the message it ended with."""
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    try:
        runner.train()
    except RunError as error:
        return runner, str(error)
    return runner, None


def test_message_names_batch_losses_and_step(cfg):
    hook = Before(2, spoil_weight)
    runner, text = run(cfg, hook)
    assert text.startswith('The loss is not finite in iteration 2 (epoch 1); it did not reach')
    for sample in hook.batch['data_samples']:
        assert f'{sample.img_id} ({sample.img_path})' in text
    for term in ('loss nan', 'loss_rpn_cls nan', 'loss_rpn_bbox ', 'loss_cls ', 'loss_bbox '):
        assert term in text, term
    rate = runner.optim_wrapper.get_lr()['lr'][0]
    assert f'learning rate {rate:.6g}, last gradient norm nan' in text
    assert 'seed: 42\n' in text
    assert parameters(runner) == hook.weights
    assert not list(Path(cfg.work_dir).rglob('*.pth'))


def test_the_same_run_stops_alike(cfg):
    """What is drawn included: augmentation, anchors and RoIs."""
    texts = []
    for name in ('once', 'again'):
        cfg.experiment_name = name  # else runs of one second share their state
        texts.append(run(cfg, Before(LAST, spoil_weight))[1])
    assert texts[0] == texts[1] is not None


@pytest.fixture
def scaled(cfg):
    """The same under a gradient scaler."""
    cfg.optim_wrapper.type = 'PortableAmpOptimWrapper'
    return cfg


def test_bad_gradients_under_a_scaler_stop_nothing(scaled):
    hook = Before(2, spoil_gradient)
    runner, text = run(scaled, Before(1, use_scaler), hook)
    assert text is None and runner.iter == LAST
    assert runner.optim_wrapper.loss_scaler.get_scale() == 1024 / 2 ** (LAST - 1)
    assert parameters(runner) == hook.weights


def test_bad_loss_under_a_scaler_stops(scaled):
    hook = Before(2, spoil_weight)
    runner, text = run(scaled, Before(1, use_scaler), hook)
    assert 'The loss is not finite in iteration 2' in text
    assert parameters(runner) == hook.weights


def test_gradient_that_is_no_number_stops_before_it_reaches_the_weights(cfg):
    hook = Before(2, spoil_gradient)
    runner, text = run(cfg, hook)
    assert text.startswith('The gradient is not finite in iteration 2')
    assert 'last gradient norm nan' in text
    assert parameters(runner) == hook.weights


def test_iterations_that_only_accumulate_are_checked_too(cfg):
    cfg.optim_wrapper.accumulative_counts = LAST
    _, text = run(cfg, Before(1, spoil_weight))
    assert 'in iteration 1 ' in text
