"""Same seed, same weights; interrupted and resumed, the same as not interrupted. Bit for bit."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from recorded_runs import assert_same_end, scalars, train
from tiny_runs import REPOSITORY, tiny_cfg

from mmdet_digits.checkpoints.reading import read_checkpoint

EPOCHS = 3  # of two iterations


class Interrupt(Hook):
    """End the run in the middle of training an epoch, or of validating it."""

    def __init__(self, train_iter=None, val_epoch=None) -> None:
        self.train_iter, self.val_epoch = train_iter, val_epoch

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.train_iter:
            raise KeyboardInterrupt

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.epoch == self.val_epoch:
            raise KeyboardInterrupt


class AskToStop(Interrupt):
    """Send this process a signal in the middle of training an epoch, or of validating it."""

    def __init__(self, number, **where) -> None:
        super().__init__(**where)
        self.number = number

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.train_iter:
            os.kill(os.getpid(), self.number)

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.epoch == self.val_epoch:
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope='module')
def setting(digits_root, tmp_path_factory):
    """Everything random at once: shuffling, augmentation, samplers, mixed precision, momentum."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DIGITS_DATA_ROOT', str(digits_root))
        cfg = tiny_cfg(tmp_path_factory.mktemp('straight'), augmented=True)
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.val_dataloader.dataset.indices = 4
    cfg.optim_wrapper.type = 'PortableAmpOptimWrapper'
    cfg.randomness = dict(seed=5, deterministic=torch.cuda.is_available())
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.update(save_best='val/loss', rule='less')
    yield cfg
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope='module')
def straight(setting):
    """The run that nothing interrupts."""
    return train(setting)


@pytest.fixture
def cfg(setting, tmp_path):
    """The same in a folder of its own."""
    cfg = copy.deepcopy(setting)
    cfg.work_dir = str(tmp_path)
    return cfg


def test_same_seed_gives_the_same_weights_whatever_the_workers(cfg, straight):
    steps, end = straight
    cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
    again, end_again = train(cfg)
    assert again == steps
    assert_same_end(end_again, end)
    first, second = (
        {image for step in steps_of_epoch for image in steps[step][1]}
        for steps_of_epoch in ((0, 1), (2, 3))
    )
    assert len(first | second) == 2 * 8  # each image is augmented anew in the next epoch


@pytest.mark.parametrize(
    'where',
    [
        dict(train_iter=3),
        pytest.param(dict(val_epoch=1), marks=pytest.mark.slow),
        dict(val_epoch=EPOCHS),
    ],
    ids=str,
)
def test_interrupted_and_resumed_equals_uninterrupted(cfg, straight, where):
    steps, end = straight
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    before, _ = train(cfg, Interrupt(**where))
    after, resumed_end = train(cfg, resume=True)
    assert {**before, **after} == steps
    assert set(after) < set(steps)
    assert_same_end(resumed_end, end)


@pytest.mark.parametrize(
    ('number', 'where', 'checkpoint'),
    [
        (signal.SIGINT, dict(train_iter=2), 'interrupted.pth'),
        pytest.param(  # the last batch of its epoch
            signal.SIGTERM, dict(train_iter=3), 'interrupted.pth', marks=pytest.mark.slow
        ),
        (signal.SIGTERM, dict(val_epoch=2), 'epoch_2.pth'),
    ],
    ids=str,
)
def test_asked_to_stop_and_resumed_loses_nothing(cfg, setting, straight, number, where, checkpoint):
    """Not even the iterations of an unfinished epoch."""
    steps, end = straight
    before, stop = train(cfg, AskToStop(number, **where))
    assert stop.exit_status == 128 + number
    assert Path(cfg.work_dir, 'last_checkpoint').read_text().endswith(checkpoint)
    after, resumed_end = train(cfg, resume=True)
    assert {**before, **after} == steps
    assert not set(before) & set(after)
    assert_same_end(resumed_end, end)
    assert losses_logged(cfg.work_dir) == losses_logged(setting.work_dir)
    assert not Path(cfg.work_dir, 'interrupted.pth').exists()  # the last epoch's stands there


def losses_logged(work_dir):
    """What was logged of each iteration and validation."""
    lines = scalars(Path(work_dir))
    train = {line['step']: line for line in lines if 'lr' in line}
    return {
        (step, name): value
        for step, line in train.items()
        for name, value in line.items()
        if not name.endswith('time')
    }


def test_another_seed_gives_other_steps(cfg, straight):
    cfg.randomness.seed = 6
    cfg.train_cfg.max_epochs = 1
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    steps, _ = train(cfg)
    assert all(steps[i] != straight[0][i] for i in (0, 1))


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(digits_root, tmp_path):
    """The tool as a user runs it, ended by SIGKILL in its fourth epoch of six."""
    config = tmp_path / 'six_epochs.py'
    config.write_text(
        f"""_base_ = '{REPOSITORY}/configs/digits/frcnn_tiny.py'
train_cfg = dict(max_epochs=6, val_interval=1)
val_cfg = dict(type='ValLossLoop')
train_dataloader = dict(dataset=dict(indices=24))
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(save_best='val/loss', rule='less'))
custom_hooks = [dict(type='MissedValidationHook')]
"""
    )

    def start(name, *arguments):
        command = [sys.executable, REPOSITORY / 'tools/train.py', config, '--work-dir', name]
        return subprocess.Popen(
            [*command, '--data-root', digits_root, *arguments],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    killed = start('killed')
    while not any(line.get('epoch') == 4 for line in scalars(tmp_path / 'killed')):
        assert killed.poll() is None
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert (tmp_path / 'killed/last_checkpoint').read_text().endswith('epoch_3.pth')
    assert start('killed', '--resume').wait() == 0
    assert start('straight').wait() == 0
    ends = [read_checkpoint(tmp_path / name / 'epoch_6.pth') for name in ('killed', 'straight')]
    assert_same_end(*ends)
