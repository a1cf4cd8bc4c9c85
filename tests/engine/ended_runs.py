"""Trainings of a few iterations that something ends."""

import gc
import signal

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_runs import tiny_cfg
from torch.utils.data._utils import signal_handling
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from mmdet_digits.engine.run_errors import explained_errors
from mmdet_digits.errors import RunError


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
def three_iterations(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = tiny_cfg(tmp_path, images=6, batch=2)
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.save_best = None
    # As in a process of its own, torch listens for dead workers from the first loader on: a signal
    # that comes late meets what was there before, not torch's handler of an earlier test.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    monkeypatch.setattr(signal_handling, '_SIGCHLD_handler_set', False)
    yield cfg
    for batches in gc.get_objects():  # until they end, torch raises for a dead worker in later runs
        if type(batches) is _MultiProcessingDataLoaderIter:
            batches._shutdown_workers()


def end_of(cfg, *hooks, before=lambda runner: None, error=RunError) -> str:
    """What a training ends with."""
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    before(runner)
    with pytest.raises(error) as raised, explained_errors(runner):
        runner.train()
    return str(raised.value)
