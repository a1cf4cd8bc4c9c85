"""What a training is asked to change when it goes on from a checkpoint, and which side counts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmdet_digits.checkpoints.reading import inspect_checkpoint
from mmdet_digits.checks.dumped_config import parse_settings
from mmdet_digits.checks.keys import READ_KEYS
from mmdet_digits.checks.schedule import EPOCHS, fitted_schedule, listed
from mmdet_digits.coco.structure import shortened
from mmdet_digits.errors import InputError

MOST_SHOWN = 10


class Counts(StrEnum):
    """Which of two values of a config a resumed training works with."""

    SAME = 'no matter'
    HERE = 'this one counts'
    CHECKPOINT = "the checkpoint's counts"
    NEITHER = 'cannot be continued'


#: What counts where the values of a path differ: the first pattern that fits.
RULES = {
    # changes nothing of what is learnt
    'load_from': Counts.SAME,
    'resume': Counts.SAME,
    'work_dir': Counts.SAME,
    'launcher': Counts.SAME,
    'log_*': Counts.SAME,
    'experiment_name': Counts.SAME,
    'env_cfg*': Counts.SAME,
    'visualizer*': Counts.SAME,
    'custom_imports*': Counts.SAME,
    'auto_scale_lr*': Counts.SAME,  # used up in the learning rate
    'test_*': Counts.SAME,
    'tta_*': Counts.SAME,
    'default_hooks.checkpoint.save_best': Counts.HERE,
    'default_hooks.checkpoint.rule': Counts.HERE,
    'default_hooks.checkpoint*': Counts.SAME,
    'default_hooks.logger*': Counts.SAME,
    'default_hooks.timer*': Counts.SAME,
    'default_hooks.visualization*': Counts.SAME,
    '*_dataloader.num_workers': Counts.SAME,
    '*_dataloader.persistent_workers': Counts.SAME,
    '*_dataloader.prefetch_factor': Counts.SAME,
    '*_dataloader.pin_memory': Counts.SAME,
    '*_dataloader.timeout': Counts.SAME,
    '*_dataloader.*cache': Counts.SAME,
    'model*.init_cfg*': Counts.SAME,
    # the model, the data and the recipe
    'model.test_cfg*': Counts.HERE,
    'model*': Counts.NEITHER,
    'train_dataloader.*data_root': Counts.HERE,  # the data may have moved
    'train_dataloader.*broken*': Counts.HERE,
    'train_dataloader*': Counts.NEITHER,
    'train_cfg.type': Counts.NEITHER,
    'runner_type': Counts.NEITHER,
    'optim_wrapper.optimizer.type': Counts.NEITHER,
    'optim_wrapper.optimizer*': Counts.CHECKPOINT,
    'optim_wrapper.accumulative_counts': Counts.NEITHER,
    'optim_wrapper.paramwise_cfg*': Counts.NEITHER,
    'optim_wrapper.constructor': Counts.NEITHER,
    'param_scheduler': Counts.NEITHER,  # another number of them
    'param_scheduler.*type': Counts.NEITHER,
    'param_scheduler.*': Counts.CHECKPOINT,
    'randomness.seed': Counts.CHECKPOINT,
    '*': Counts.HERE,
}


class _NotSet:
    def __repr__(self) -> str:
        return 'not set'


NOT_SET = _NotSet()


@dataclass(frozen=True)
class Difference:
    """A path of the config whose value is another one than in the checkpoint.

    Args:
        path: dotted, list items by their index.
        old: the checkpoint's value, or :data:`NOT_SET`.
        new: this run's value, or :data:`NOT_SET`.
        counts: which of them the training works with.
    """

    path: str
    old: Any
    new: Any
    counts: Counts

    def __str__(self) -> str:
        return f'{self.path}: {_shown(self.new)}, in the checkpoint {_shown(self.old)}'


def settle_differences(cfg: Config, checkpoint: Path) -> bool:
    """Make the config of a resumed training say what the training does; log what it was asked.

    Args:
        cfg: changed in place: values that the checkpoint decides are the checkpoint's.
        checkpoint: which the training goes on from.

    Returns:
        Whether the number of epochs is another one, so that the schedule has to be planned anew.

    Raises:
        InputError: neither side of some differences could count.
    """
    text = inspect_checkpoint(checkpoint, whole=False)['meta'].get('cfg')
    old = parse_settings(text if isinstance(text, str) else '', f'{checkpoint}: meta.cfg')
    differences = resume_differences(old, cfg.to_dict())
    refuse(differences, checkpoint)
    for difference in differences:
        print_log(f'{difference}: {difference.counts}.', 'current')
        if difference.counts is Counts.CHECKPOINT:
            _put(cfg, difference.path, difference.old)
    epochs = next((d for d in differences if d.path == EPOCHS), None)
    if epochs and cfg.get('param_scheduler'):
        schedulers = listed(cfg.param_scheduler)
        cfg.param_scheduler = fitted_schedule(schedulers, epochs.old, epochs.new)
    return epochs is not None


def resume_differences(old: Mapping, new: Mapping) -> list[Difference]:
    """Compare the config of a checkpoint with that of the run that is to go on from it.

    With another number of epochs the schedule is planned anew, so that this run's counts.

    Args:
        old: the checkpoint's, as plain dicts and lists.
        new: this run's; of the keys at the top, those that are read and that both have count.

    Returns:
        The differences that matter.
    """
    found, common = [], [key for key in old if key in READ_KEYS and key in new]
    parts = (_listed({key: config[key] for key in common}) for config in (old, new))
    for path, before, now in _changes(*parts):
        counts = next(RULES[pattern] for pattern in RULES if fnmatchcase(path, pattern))
        if counts is Counts.NEITHER and _moved(before, now):
            counts = Counts.HERE
        found.append(Difference(path, before, now, counts))
    if any(difference.path == EPOCHS for difference in found):
        found = [
            Difference(d.path, d.old, d.new, Counts.HERE)
            if d.counts is Counts.CHECKPOINT and d.path.startswith('param_scheduler.')
            else d
            for d in found
        ]
    return [difference for difference in found if difference.counts is not Counts.SAME]


def refuse(differences: list[Difference], checkpoint: Path) -> None:
    """Stop a training that cannot be continued.

    Raises:
        InputError: neither side of some differences could count.
    """
    refused = [str(d) for d in differences if d.counts is Counts.NEITHER]
    if not refused:
        return
    more = len(refused) - MOST_SHOWN
    shown = refused[:MOST_SHOWN] + [f'and {more:,} more'] * (more > 0)
    raise InputError(
        f'{checkpoint}: it cannot be continued with another optimizer, model, data or recipe.',
        '\n            '.join(shown),
        "the checkpoint's values",
        'take them back; or start anew from its weights, without --resume: '
        f'--work-dir NEW --cfg-options load_from={checkpoint}',
    )


def _changes(old: Any, new: Any, path: str = '') -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of each difference; of lists, those of as many dicts are compared."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f'{path}.{key}'.lstrip('.')
            yield from _changes(old.get(key, NOT_SET), new.get(key, NOT_SET), inner)
    elif _are_dicts(old) and _are_dicts(new) and len(old) == len(new):
        for index, (before, now) in enumerate(zip(old, new, strict=True)):
            yield from _changes(before, now, f'{path}.{index}')
    elif old != new:
        yield path, old, new


def _put(cfg: Config, path: str, value: Any) -> None:
    *parents, last = [int(key) if key.isdigit() else key for key in path.split('.')]
    node = cfg
    for key in parents:
        node = node[key]
    if value is NOT_SET:
        del node[last]
    else:
        node[last] = value


def _moved(old: Any, new: Any) -> bool:
    """Whether two values are paths to a file of one name."""
    texts = (isinstance(value, str) and '/' in value for value in (old, new))
    return all(texts) and Path(old).name == Path(new).name


def _are_dicts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _listed(node: Any) -> Any:
    """A config with lists in place of tuples: which of the two it was, no matter."""
    if isinstance(node, Mapping):
        return {key: _listed(value) for key, value in node.items()}
    return [*map(_listed, node)] if isinstance(node, list | tuple) else node


def _shown(value: Any) -> str:
    return shortened(repr(value), limit=200)
