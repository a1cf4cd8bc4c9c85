"""Values of a config that nothing could work with, found before anything is built from them."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmdet_digits.checks.config_data import SPLITS
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.coco.structure import is_number


def is_whole(value: Any, least: int) -> bool:
    """Whether a value is a whole number, no bool, and not below the least one."""
    return type(value) is int and value >= least


def is_rate(value: Any) -> bool:
    """Whether a value is a number above 0."""
    return is_number(value) and value > 0


def is_scale(value: Any) -> bool:
    """Whether a value is a width and a height in pixels."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(is_whole(side, least=1) for side in value)
    )


def is_score(value: Any) -> bool:
    """Whether a value is a number from 0 to 1."""
    return is_number(value) and 0 <= value <= 1


def are_rates(value: Any) -> bool:
    """Whether a value is a list of numbers above 0."""
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(is_rate, value))


def are_numbers(value: Any) -> bool:
    """Whether a value is a list of finite numbers."""
    return isinstance(value, list | tuple) and all(map(is_number, value))


#: For each path: what its value has to be, as a function and in words.
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    'train_cfg.max_epochs': (lambda value: is_whole(value, 1), 'a whole number, 1 or more'),
    'train_cfg.val_interval': (lambda value: is_whole(value, 1), 'a whole number, 1 or more'),
    '*_dataloader.batch_size': (lambda value: is_whole(value, 1), 'a whole number, 1 or more'),
    '*_dataloader.num_workers': (lambda value: is_whole(value, 0), 'a whole number, 0 or more'),
    '*_dataloader.prefetch_factor': (
        lambda value: value is None or is_whole(value, 1),
        'a whole number, 1 or more, or None',
    ),
    '*_dataloader.timeout': (lambda value: value == 0 or is_rate(value), '0 or more seconds'),
    'optim_wrapper.optimizer.lr': (is_rate, 'a number above 0'),
    'optim_wrapper.accumulative_counts': (
        lambda value: is_whole(value, 1),
        'a whole number, 1 or more',
    ),
    'model.data_preprocessor.mean': (are_numbers, 'finite numbers'),
    'model.data_preprocessor.std': (are_rates, 'numbers above 0, which are divided by'),
    '*.score_thr': (is_score, 'a number from 0 to 1'),
    '*Resize.scale': (is_scale, 'two whole numbers, (width, height) in pixels'),
}


#: What a data loader without workers has.
WITHOUT_WORKERS = dict(
    persistent_workers=False, prefetch_factor=None, multiprocessing_context=None, timeout=0
)
#: Options of a data loader that MMEngine takes out, or builds something from.
BUILT_BY_MMENGINE = (
    *('type', '_scope_', 'dataset', 'sampler', 'batch_sampler', 'collate_fn', 'worker_init_fn'),
    *('num_batch_per_epoch', 'disable_subprocess_warning'),
)


def check_values(cfg: Mapping) -> list[Check]:
    """Check the values that every run needs.

    Args:
        cfg: a config as plain dicts and lists.
    """
    wrong = [
        Check(
            f'{path}: not a value to work with.',
            Status.FAIL,
            repr(value),
            expected,
            f'correct {path}',
        )
        for path, typed_path, value in values(cfg)
        for pattern, (fits, expected) in RULES.items()
        if fnmatchcase(typed_path, pattern) and not fits(value)
    ]
    return (
        wrong
        or refused_loaders(cfg)
        or refused_schedules(cfg)
        or [Check('Values', Status.OK, 'numbers and sizes are in their ranges')]
    )


def settle_loaders(cfg: Config) -> None:
    """Take back what a data loader without workers cannot have; torch would refuse it.

    Args:
        cfg: changed in place.
    """
    for split in SPLITS:
        loader = cfg.get(f'{split}_dataloader') or {}
        for key, value in taken_back(loader).items():
            loader[key] = value
            print_log(f'{split}_dataloader has no workers, so {key}={value}.', 'current')


def taken_back(loader: Mapping) -> dict[str, Any]:
    """The options of a data loader that are other ones since it has no workers."""
    if loader.get('num_workers', 0) != 0:
        return {}
    return {key: WITHOUT_WORKERS[key] for key in WITHOUT_WORKERS if loader.get(key)}


def refused_loaders(cfg: Mapping) -> list[Check]:
    """Let torch say whether the options of each data loader go together."""
    from torch.utils.data import DataLoader

    refused = []
    for split in SPLITS:
        loader = cfg.get(f'{split}_dataloader') or {}
        given = {**loader, **taken_back(loader)}
        options = {key: given[key] for key in given if key not in BUILT_BY_MMENGINE}
        if loader.get('batch_sampler'):
            options.pop('batch_size', None)
            options['batch_sampler'] = [[0]]
        elif loader.get('sampler'):
            options['sampler'] = [0]
        try:
            DataLoader([0], **options)
        except (AssertionError, TypeError, ValueError) as error:
            refused.append(_refused(f'{split}_dataloader', error, 'options that go together'))
    return refused


def refused_schedules(cfg: Mapping) -> list[Check]:
    """Build each scheduler for a made-up optimizer, and take two steps."""
    import torch
    from mmengine.registry import PARAM_SCHEDULERS

    schedulers = cfg.get('param_scheduler') or []
    refused = []
    for number, scheduler in enumerate(
        [schedulers] * isinstance(schedulers, Mapping) or schedulers
    ):
        weight = torch.nn.Parameter(torch.zeros(1))
        given = dict(optimizer=torch.optim.SGD([weight], lr=1.0, momentum=0.9), epoch_length=10)
        try:
            built = PARAM_SCHEDULERS.build(dict(scheduler), default_args=given)
            given['optimizer'].step()
            for _ in range(2):
                built.step()
        except (ArithmeticError, AssertionError, KeyError, TypeError, ValueError) as error:
            path = f'param_scheduler.{number}'
            refused.append(_refused(path, error, 'values that a schedule can be made from'))
    return refused


def _refused(path: str, error: Exception, expected: str) -> Check:
    found = f'{type(error).__name__}: {error}'
    return Check(
        f'{path}: cannot be built.', Status.FAIL, found, expected, f'correct {path} in the config'
    )


def values(node: Any, path: str = '', typed_path: str = '') -> Iterator[tuple[str, str, Any]]:
    """Every value of a config: its dotted path; the same with types for indices; and itself."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in items:
        kind = value.get('type', key) if isinstance(value, Mapping) else key
        name = key if isinstance(node, Mapping) else kind
        inner = (f'{path}.{key}'.lstrip('.'), f'{typed_path}.{name}'.lstrip('.'))
        yield (*inner, value)
        if isinstance(value, Mapping | list | tuple):
            yield from values(value, *inner)
