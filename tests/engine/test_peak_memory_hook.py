import sys

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_runs import tiny_cfg

from mmdet_digits.engine.hooks import peak_memory_hook
from mmdet_digits.engine.hooks.peak_memory_hook import process_peak_mib
from mmdet_digits.runs.run_history import read_run


class Recorder(Hook):
    """The losses of each validation."""

    def __init__(self) -> None:
        self.losses = {}

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.losses[runner.epoch] = metrics['val/loss']


@pytest.fixture(scope='module')
def logged(digits_root, tmp_path_factory):
    """What a real training logs, and the validation losses that it had."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DIGITS_DATA_ROOT', str(digits_root))
        cfg = tiny_cfg(tmp_path_factory.mktemp('run'))
    cfg.train_cfg.max_epochs = 3
    cfg.log_level = 'INFO'
    cfg.default_hooks.logger.interval = 1
    cfg.custom_hooks.append(dict(type='PeakMemoryHook'))
    runner, recorder = Runner.from_cfg(cfg), Recorder()
    runner.register_hook(recorder)
    runner.train()
    return read_run(cfg.work_dir), recorder.losses


def test_the_log_of_a_real_run_is_understood(logged):
    run, _ = logged
    assert (run.epochs, run.iters_per_epoch, run.val_iters) == (3, 2, 2)
    assert list(run.iterations) == [1, 2, 3, 4, 5, 6] and list(run.validations) == [1, 2, 3]
    for key in ('loss', 'lr', 'time', 'loss_cls', 'loss_rpn_bbox'):
        assert len(run.series(key)) == 6
    for key in ('coco/bbox_mAP', 'number/accuracy', 'time'):
        assert len(run.series(key, 'validations')) == 3
    assert run.notes == ()


def test_validation_losses_are_logged_as_they_are(logged):
    run, losses = logged
    assert run.series('val/loss', 'validations') == losses
    assert len(set(losses.values())) == 3


def test_peak_memory_is_logged_and_never_falls(logged):
    memory = list(logged[0].memory().values())
    assert len(memory) == 6 and memory == sorted(memory)
    assert memory[0] > 10


def test_peak_on_linux(monkeypatch, tmp_path):
    status = tmp_path / 'status'
    monkeypatch.setattr(peak_memory_hook, 'PROCESS_STATUS', status)
    status.write_text('Name:\tpython\nVmHWM:\t    2560 kB\nVmRSS:\t    1024 kB\n')
    assert process_peak_mib() == 2.5


def test_peak_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory_hook, 'PROCESS_STATUS', tmp_path / 'none')
    assert process_peak_mib() > 10
    monkeypatch.setitem(sys.modules, 'resource', None)  # as on Windows
    assert process_peak_mib() is None
