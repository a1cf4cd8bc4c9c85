"""What a training says when memory, disk or data workers fail it."""

import copy
import gc
import json
import logging
import multiprocessing
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from stop_rank import ask_rank
from tiny_runs import tiny_cfg

from mmdet_digits.engine.surviving import surviving
from mmdet_digits.errors import Interrupted, RunError


class During(Hook):
    """Do something in the second iteration, or in the first one of a validation."""

    def __init__(self, action, stage='train') -> None:
        self.action, self.stage = action, stage

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if self.stage == 'train' and runner.iter == 1:
            self.action(runner)

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        if self.stage == 'val':
            self.action(runner)


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = tiny_cfg(tmp_path, images=6, batch=2)
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.save_best = None
    yield cfg
    gc.collect()  # until its loader is gone, torch raises for a dead worker in later runs too


def end_of(cfg, *hooks, before=lambda runner: None, error=RunError) -> str:
    """What a training ends with."""
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    before(runner)
    with pytest.raises(error) as raised, surviving(runner):
        runner.train()
    return str(raised.value)


def gpu_is_full(runner):
    raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 20.00 MiB.\nMore text')


def test_full_gpu_names_the_batch_and_the_next_size(cfg):
    text = end_of(cfg, During(gpu_is_full))
    assert text.startswith('The memory of the GPU is full.')
    assert '2 images in a batch, the largest is 96 x 48 pixels' in text
    assert 'CUDA out of memory. Tried to allocate 20.00 MiB.' in text and 'More text' not in text
    assert '--cfg-options train_dataloader.batch_size=1 --auto-scale-lr' in text
    assert '--amp' in text
    assert 'There is no checkpoint yet: the same command starts over.' in text


def test_a_recipe_that_has_to_change_starts_anew_from_the_last_weights(cfg):
    """With another batch or learning rate no training is continued."""
    Path(cfg.work_dir, 'last_checkpoint').write_text('run/epoch_3.pth')
    text = end_of(cfg, During(gpu_is_full))
    assert '--work-dir NEW --cfg-options load_from=run/epoch_3.pth' in text
    assert '--resume' not in text


def test_full_gpu_in_a_validation_is_about_its_own_batches(cfg):
    text = end_of(cfg, During(gpu_is_full, stage='val'))
    assert '--cfg-options val_dataloader.batch_size=1' in text
    assert 'auto-scale-lr' not in text
    assert f'--resume {cfg.work_dir}/epoch_1.pth' in text


def test_a_batch_of_one_that_does_not_fit_cannot_get_smaller(cfg):
    cfg.train_dataloader.batch_size = 1
    text = end_of(cfg, During(gpu_is_full))
    assert 'batch_size=' not in text
    assert 'a smaller scale' in text


@pytest.mark.parametrize('library', [np, torch])
def test_full_host_memory(cfg, library):
    text = end_of(cfg, During(lambda runner: library.ones(2**55)))
    assert text.startswith('The memory of this machine is full.')
    assert 'llocate' in text  # NumPy's or torch's own words
    assert 'train_dataloader.batch_size=1' in text


@pytest.mark.parametrize('stage', ['train', 'val'])
def test_killed_data_worker_is_named_with_the_options_that_do_without(cfg, stage):
    loader = cfg[f'{stage}_dataloader']
    loader.update(num_workers=1, batch_size=1, prefetch_factor=2)
    killed = []

    def kill(runner):
        (worker,) = multiprocessing.active_children()
        killed.append(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)

    text = end_of(cfg, During(kill, stage))
    worker = rf'DataLoader worker \(pid(\(s\))? {killed[0]}\) '
    died = rf'A data worker died: ({worker}is killed|{worker}exited|ConnectionResetError)'
    assert re.match(died, text)
    assert f'{stage}_dataloader.num_workers=1' in text
    fix = f'{stage}_dataloader.num_workers=0 {stage}_dataloader.persistent_workers=False'
    assert f'--cfg-options {fix}' in text


def full_scalars(runner):
    Path(runner.log_dir, 'vis_data', 'scalars.json').symlink_to('/dev/full')


def full_log(runner):
    handler = next(h for h in runner.logger.handlers if isinstance(h, logging.FileHandler))
    handler.setStream(Path('/dev/full').open('w'))  # noqa: SIM115
    handler.setLevel(logging.INFO)
    runner.logger.setLevel(logging.INFO)


def full_tensorboard(runner):
    backend = runner.visualizer.get_backend('TensorboardVisBackend')
    record_writer = backend.experiment._get_file_writer().event_writer._async_writer._writer
    record_writer._writer = Path('/dev/full').open('wb', buffering=0)  # noqa: SIM115


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
@pytest.mark.parametrize('fill', [full_scalars, full_log, full_tensorboard])
def test_full_disk_while_logging_is_one_message(cfg, capfd, fill):
    cfg.default_hooks.logger.interval = 1
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    text = end_of(cfg, before=fill)
    assert ': the disk is full.' in text
    assert 'No space left on device' in text
    assert 'delete old checkpoints' in text
    output, errors = capfd.readouterr()
    assert 'Traceback' not in output + errors
    assert 'Logging error' not in errors


def test_other_errors_stay_what_they_are(cfg):
    def fail(runner):
        raise RuntimeError('size mismatch')

    assert end_of(cfg, During(fail), error=RuntimeError) == 'size mismatch'


def test_a_loop_that_cannot_resume_within_an_epoch_says_so(cfg):
    cfg.train_cfg.type = 'EpochBasedTrainLoop'
    stop = During(lambda runner: os.kill(os.getpid(), signal.SIGINT))
    text = end_of(cfg, stop, error=Interrupted)
    assert 'after iteration 2 of 3. Nothing was saved' in text
    assert not list(Path(cfg.work_dir).glob('*.pth'))


def kill_all(runner):
    """SIGTERM to all processes of a job, as a batch system sends it."""
    os.kill(os.getpid(), signal.SIGTERM)
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()


@pytest.mark.parametrize('stage', ['train', 'val'])
def test_sigterm_that_reaches_the_data_workers_too_saves_as_well(cfg, stage):
    loader = cfg[f'{stage}_dataloader']
    loader.update(num_workers=1, batch_size=1, prefetch_factor=2)

    text = end_of(cfg, During(kill_all, stage), error=Interrupted)
    assert 'Go on with: the same command and --resume' in text
    assert Path(cfg.work_dir, 'interrupted.pth').is_file() is (stage == 'train')


@pytest.fixture
def dead_workers():
    """As torch leaves it after a run: with a dead worker, the end of any process is an error."""
    dead = []

    def handler(number, frame):
        if dead:
            raise RuntimeError(f'DataLoader worker (pid {dead[0]}) is killed by signal: Killed.')

    before = signal.signal(signal.SIGCHLD, handler)
    yield dead
    signal.signal(signal.SIGCHLD, before)


def test_signal_while_waiting_for_a_batch_saves_between_iterations(cfg, dead_workers):
    class Stuck(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            if batch_idx == 1:
                runner.optim_wrapper.should_update = lambda: False  # as if it came a bit later
                os.kill(os.getpid(), signal.SIGTERM)
                (worker,) = multiprocessing.active_children()
                dead_workers.append(worker.pid)
                worker.kill()

    cfg.train_dataloader.update(num_workers=1, batch_size=1, prefetch_factor=1)
    cfg.train_cfg.max_epochs = 9
    text = end_of(cfg, Stuck(), error=Interrupted)
    assert re.match(r'Stopped by SIGTERM after iteration \d of 54 \(epoch 1, batch', text)
    assert Path(cfg.work_dir, 'interrupted.pth').is_file()


def test_second_signal_stops_at_once(cfg):
    def stop_twice(runner):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    assert end_of(cfg, During(stop_twice), error=Interrupted).startswith(
        'Stopped by Ctrl-C at once.'
    )
    assert not list(Path(cfg.work_dir).glob('*.pth'))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize('workers', [0, 1])
def test_a_stop_in_a_validation_saves_trained_and_averaged_weights_each_as_what_they_are(
    cfg, workers
):
    cfg.train_cfg.max_epochs = 2
    cfg.default_hooks.checkpoint.interval = 2
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    if workers:
        cfg.val_dataloader.update(num_workers=1, batch_size=1, prefetch_factor=2)
    trained = {}

    class Note(Hook):
        priority = 'VERY_HIGH'  # before EMAHook exchanges the weights

        def before_val_epoch(self, runner) -> None:
            trained.update(copy.deepcopy(runner.model.state_dict()))

    stop = kill_all if workers else lambda runner: os.kill(os.getpid(), signal.SIGTERM)
    end_of(cfg, Note(), During(stop, 'val'), error=Interrupted)
    saved = torch.load(Path(cfg.work_dir, 'interrupted.pth'), weights_only=False)
    name = 'backbone.layer1.0.conv1.weight'
    assert not torch.equal(saved['state_dict'][name], trained[name])
    for name, value in trained.items():  # MMEngine keeps the trained ones in this place
        assert torch.equal(saved['ema_state_dict'][f'module.{name}'], value), name


def test_accumulated_gradients_are_stepped_before_stopping(cfg):
    """No checkpoint holds them."""
    cfg.optim_wrapper.accumulative_counts = 3
    stop = During(lambda runner: os.kill(os.getpid(), signal.SIGTERM))
    assert 'after iteration 3 of 3' in end_of(cfg, stop, error=Interrupted)


def test_ranks_agree_to_stop_once_in_some_iterations(tmp_path):
    """Of which epochs need not be multiples; one that is asked in between stops all."""
    torch.multiprocessing.spawn(ask_rank, args=(str(tmp_path),), nprocs=2)
    for rank in range(2):
        asked, spoke = json.loads((tmp_path / f'{rank}.json').read_text())
        assert asked == [0] * 3 + [signal.SIGTERM] * 7
        assert spoke == [4, 8]
