"""Same seed, same weights; interrupted and resumed, the same as not interrupted. Bit for bit."""

import copy
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_runs import REPOSITORY, tiny_cfg

EPOCHS = 3  # of two iterations


class Recorder(Hook):
    """What each iteration was given and gave."""

    def __init__(self) -> None:
        self.steps = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.steps[runner.iter] = (
            [sample.img_id for sample in data_batch['data_samples']],
            [digest({'image': image}) for image in data_batch['inputs']],
            [sample.gt_instances.bboxes.tensor.tolist() for sample in data_batch['data_samples']],
            runner.optim_wrapper.get_lr(),
            outputs['loss'].item(),
        )


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


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """A hash of named tensors."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def train(cfg, *hooks, resume=False):
    """Run a config; return what was recorded, and the last checkpoint."""
    cfg = copy.deepcopy(cfg)
    cfg.resume = resume
    cfg.experiment_name += f'_{time.time_ns()}'  # a new process would not know of the old one
    cfg.visualizer.name = cfg.experiment_name
    runner, recorder = Runner.from_cfg(cfg), Recorder()
    for hook in (recorder, *hooks):
        runner.register_hook(hook)
    try:
        runner.train()
    except KeyboardInterrupt:
        return recorder.steps, None
    last = Path(cfg.work_dir, f'epoch_{cfg.train_cfg.max_epochs}.pth')
    return recorder.steps, torch.load(last, weights_only=False)


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


def best(checkpoint):
    info = checkpoint['message_hub']['runtime_info']
    return info['best_score'], Path(info['best_ckpt']).name


def assert_same_end(a, b):
    assert digest(a['state_dict']) == digest(b['state_dict'])
    for key in ('optimizer', 'param_schedulers'):
        assert equal(a[key], b[key]), key
    assert best(a) == best(b)


def equal(a, b) -> bool:
    """Compare nested states exactly."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


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
    'where', [dict(train_iter=3), dict(val_epoch=1), dict(val_epoch=EPOCHS)], ids=str
)
def test_interrupted_and_resumed_equals_uninterrupted(cfg, straight, where):
    steps, end = straight
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    before, nothing = train(cfg, Interrupt(**where))
    assert nothing is None
    after, resumed_end = train(cfg, resume=True)
    assert {**before, **after} == steps
    assert set(after) < set(steps)
    assert_same_end(resumed_end, end)


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
custom_hooks = [dict(type='DerivedRandomnessHook'), dict(type='MissedValidationHook')]
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
    ends = [
        torch.load(tmp_path / name / 'epoch_6.pth', weights_only=False)
        for name in ('killed', 'straight')
    ]
    assert_same_end(*ends)


def scalars(work_dir):
    files = work_dir.glob('*/vis_data/scalars.json')
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith('}')]
