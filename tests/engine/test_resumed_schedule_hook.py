"""The learning rates of a training made longer are those of one that was as long from the start."""

from contextlib import nullcontext

import pytest
from mmengine.hooks import Hook
from small_trainings import small_runner

from mmdet_digits.engine.hooks.resumed_schedule_hook import ResumedScheduleHook, check_epoch_length
from mmdet_digits.errors import InputError


class Rates(Hook):
    def __init__(self) -> None:
        self.rates = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])


def rates(schedule, work_dir, *hooks, **arguments):
    runner = small_runner(work_dir, **arguments)
    runner.param_schedulers = schedule
    runner.cfg.param_scheduler = schedule
    recorder = Rates()
    for hook in (recorder, *hooks):
        runner.register_hook(hook)
    runner.train()
    return recorder.rates


def cosine(epochs):
    """A warm-up by iteration, then a cosine by epoch that ends with the training."""
    return [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=2),
        dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True),
    ]


@pytest.mark.parametrize(('epochs', 'longer'), [(2, 5), (4, 6), (1, 3)])
def test_more_epochs(tmp_path, epochs, longer):
    straight = rates(cosine(longer), tmp_path / 'straight', epochs=longer)
    rates(cosine(epochs), tmp_path / 'short', epochs=epochs)
    resumed = rates(
        cosine(longer),
        tmp_path / 'longer',
        ResumedScheduleHook(replan=True),
        epochs=longer,
        load_from=tmp_path / 'short' / f'epoch_{epochs}.pth',
        resume=True,
    )
    assert resumed == straight[epochs:]


@pytest.mark.parametrize(
    ('epochs', 'iterations', 'length', 'fits'),
    [(0, 0, 6, True), (2, 12, 6, True), (2, 12, 12, False), (2, 12, 5, False), (1, 0, 6, False)],
)
def test_epochs_have_the_length_that_they_had(epochs, iterations, length, fits):
    with nullcontext() if fits else pytest.raises(InputError, match='another length'):
        check_epoch_length(epochs, iterations, length)
