"""Ctrl-C and SIGTERM end a training with nothing lost."""

import copy
import json
import multiprocessing
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from ended_runs import During, end_of, three_iterations
from mmengine.hooks import Hook
from mmengine.runner import Runner
from stop_rank import ask_rank

from mmdet_digits.errors import Interrupted

cfg = three_iterations


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


def test_without_the_hook_ctrl_c_is_pythons(cfg):
    cfg.custom_hooks = []
    end_of(cfg, During(lambda runner: signal.raise_signal(signal.SIGINT)), error=KeyboardInterrupt)
    assert not list(Path(cfg.work_dir).glob('*.pth'))


def test_a_training_in_a_thread_goes_on_without_signals(cfg):
    runner = Runner.from_cfg(cfg)
    with ThreadPoolExecutor() as pool:
        pool.submit(runner.train).result()
    assert runner.iter == 3


def test_a_signal_that_was_to_be_ignored_stays_ignored(cfg):
    """As a shell without job control starts what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        runner = Runner.from_cfg(cfg)
        runner.register_hook(During(lambda runner: signal.raise_signal(signal.SIGINT)))
        runner.train()
    finally:
        signal.signal(signal.SIGINT, before)
    assert runner.iter == 3


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
