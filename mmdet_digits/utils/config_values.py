"""Values of a config that nothing could work with, found before anything is built from them."""

import math
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from mmdet_digits.utils.checks import Check, Status


def is_whole(value: Any, least: int) -> bool:
    """Whether a value is a whole number, no bool, and not below the least one."""
    return type(value) is int and value >= least


def is_rate(value: Any) -> bool:
    """Whether a value is a number above 0."""
    return type(value) in (int, float) and math.isfinite(value) and value > 0


def is_scale(value: Any) -> bool:
    """Whether a value is a width and a height in pixels."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(is_whole(side, least=1) for side in value)
    )


#: For each path: what its value has to be, as a function and in words.
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    'train_cfg.max_epochs': (lambda value: is_whole(value, 1), 'a whole number, 1 or more'),
    'train_cfg.val_interval': (lambda value: is_whole(value, 1), 'a whole number, 1 or more'),
    '*_dataloader.batch_size': (lambda value: is_whole(value, 1), 'a whole number, 1 or more'),
    '*_dataloader.num_workers': (lambda value: is_whole(value, 0), 'a whole number, 0 or more'),
    'optim_wrapper.optimizer.lr': (is_rate, 'a number above 0'),
    '*Resize.scale': (is_scale, 'two whole numbers, (width, height) in pixels'),
}


def check_values(cfg: Mapping) -> list[Check]:
    """Check the values that every run needs.

    Args:
        cfg: a config as plain dicts and lists.
    """
    wrong = [
        Check(
            f'{path}: not a value to work with.', Status.FAIL, repr(value), expected, f'{path}=...'
        )
        for path, typed_path, value in values(cfg)
        for pattern, (fits, expected) in RULES.items()
        if fnmatchcase(typed_path, pattern) and not fits(value)
    ]
    return wrong or [Check('Values', Status.OK, 'numbers and sizes are in their ranges')]


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
