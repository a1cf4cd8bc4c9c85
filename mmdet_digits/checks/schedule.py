"""Whether the learning rate's schedule is as long as the training."""

from collections.abc import Mapping, Sequence

from mmengine.config import Config
from mmengine.logging import print_log

from mmdet_digits.checks.finding import Check, Status

EPOCHS = 'train_cfg.max_epochs'


def fitted_schedule(schedulers: Sequence[Mapping], old_epochs: int, epochs: int) -> list[dict]:
    """Schedulers whose length was the number of epochs, made as long as the new number is.

    Args:
        schedulers: configs of schedulers.
        old_epochs: what ``T_max`` or ``end`` of those by epoch is changed from.
        epochs: what it is changed to.
    """
    return [
        {
            key: epochs
            if key in ('T_max', 'end') and value == old_epochs and scheduler.get('by_epoch', True)
            else value
            for key, value in scheduler.items()
        }
        for scheduler in schedulers
    ]


def follow_epochs(cfg: Config, old_epochs: int | None, options: Mapping) -> None:
    """Make the schedule as long as a training whose epochs the command line has changed.

    Args:
        cfg: with the options; changed in place.
        old_epochs: the number of epochs without them.
        options: value per dotted path; a schedule that they set is left as it is.
    """
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    set_there = any(path.lstrip('+').startswith('param_scheduler') for path in options)
    if not old_epochs or epochs == old_epochs or set_there or not cfg.get('param_scheduler'):
        return
    before = listed(cfg.param_scheduler)
    cfg.param_scheduler = fitted_schedule(before, old_epochs, epochs)
    if listed(cfg.param_scheduler) != before:
        print_log(f'{EPOCHS}={epochs}, so the schedule of the learning rate is as long.', 'current')


def listed(schedulers: Mapping | Sequence | None) -> list[dict]:
    """The schedulers of a config, which may have one, several or none."""
    one = isinstance(schedulers, Mapping)
    return [dict(scheduler) for scheduler in ([schedulers] if one else schedulers or [])]


def check_schedule(cfg: Mapping) -> Check:
    """Tell of a cosine that ends before the training or after it.

    Args:
        cfg: a config as plain dicts and lists.
    """
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    for number, scheduler in enumerate(listed(cfg.get('param_scheduler'))):
        length = scheduler.get('T_max')
        cosine = str(scheduler.get('type')).startswith('CosineAnnealing')
        if not (epochs and cosine and isinstance(length, int) and scheduler.get('by_epoch', True)):
            continue
        end = scheduler.get('begin', 0) + length
        if end != epochs:
            return Check(
                'The schedule of the learning rate is not as long as the training.',
                Status.WARN,
                f'{epochs} epochs; param_scheduler.{number} ends after {end}, '
                + ('and rises again' if end < epochs else 'so the rate does not come to its end'),
                'one length, unless a published recipe has it so',
                f'--cfg-options param_scheduler.{number}.T_max={epochs - end + length}',
            )
    return Check('Schedule', Status.OK, 'as long as the training')
