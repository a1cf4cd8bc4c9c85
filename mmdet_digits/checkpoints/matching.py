"""Whether a checkpoint belongs to a model and to its classes."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.optim import _ParamScheduler
from torch import Tensor

from mmdet_digits.checkpoints.reading import EXPECTED
from mmdet_digits.utils.errors import InputError

COUNTER = 'num_batches_tracked'
"""Batch norm layers of old checkpoints lack it; it changes no result."""
CONVERTER = 'python tools/model_converters/checkpoint2safetensors.py'


def weights_of(checkpoint: dict) -> dict[str, Tensor]:
    """The weights of a checkpoint under the names of the model.

    Args:
        checkpoint: with ``state_dict``, or itself one; ``module.`` before all names is left out, as
            MMEngine does.
    """
    weights = checkpoint.get('state_dict', checkpoint)
    if not isinstance(weights, dict):
        return {}
    return {re.sub(r'^module\.', '', str(name)): value for name, value in weights.items()}


def check_checkpoint(
    checkpoint: dict,
    path: Path | str,
    expected: Mapping[str, Tensor],
    classes: Sequence[str],
    complete: bool,
) -> None:
    """Check that a checkpoint can be loaded into a model.

    Args:
        checkpoint: as read.
        path: where it came from, for messages.
        expected: the state of the model.
        classes: what the model's labels stand for.
        complete: whether every weight has to be there, and no other; where not, a training may
            start from some of them.

    Raises:
        InputError: it has other classes, weights of other shapes or names, or no numbers in them.
    """
    weights = weights_of(checkpoint)
    if not any(isinstance(value, Tensor) for value in weights.values()):
        keys = ', '.join(map(str, checkpoint)) or 'nothing'
        raise InputError(f'{path}: holds no weights.', keys, 'state_dict', f'give {EXPECTED}')
    unlike = [
        name
        for name, value in weights.items()
        if name in expected and getattr(value, 'shape', None) != expected[name].shape
    ]
    fix = _fix(path, unlike, complete)
    _check_classes(checkpoint, path, classes, fix)
    _check_names(weights, path, expected, complete)
    if unlike:
        raise InputError(
            f'{path}: not a checkpoint of this config: {len(unlike)} weights of other shapes.',
            _shapes(weights, unlike),
            _shapes(expected, unlike),
            fix,
        )
    _check_numbers({name: weights[name] for name in expected if name in weights}, path)


def check_schedulers(
    states: Sequence[Mapping[str, Any]], path: Path | str, schedulers: Sequence[_ParamScheduler]
) -> None:
    """Check that the schedulers of a training can go on from the states in a checkpoint.

    MMEngine makes attributes of whatever a state holds.

    Args:
        states: one per scheduler.
        path: where they came from, for messages.
        schedulers: of the training.

    Raises:
        InputError: a value is of another kind than the scheduler's own, or takes the place of a
            method.
    """
    for number, (state, scheduler) in enumerate(zip(states, schedulers, strict=False)):
        own = scheduler.state_dict()
        for name, value in state.items():
            place = f'{path}: not a checkpoint of this config: param_schedulers[{number}].{name}'
            fix = 'use another checkpoint, or the config that this one was trained with'
            if name in own and not _alike(value, own[name]):
                raise InputError(f'{place}.', repr(value), f'like {own[name]!r}', fix)
            if name not in own and hasattr(type(scheduler), str(name)):
                kind = type(scheduler).__name__
                raise InputError(f'{place}.', repr(value), f'no value: {kind} computes it', fix)


def _alike(value: Any, own: Any) -> bool:
    """Whether a value of a scheduler can take the place of its own."""
    if isinstance(own, list):
        of_one_length = isinstance(value, list) and len(value) == len(own)
        return of_one_length and all(map(_alike, value, own))
    if own is None:
        return value is None or _alike(value, 0.0)
    if type(own) is int:
        return type(value) is int
    if isinstance(own, float):
        return isinstance(value, int | float) and math.isfinite(value) and type(value) is not bool
    return type(value) is type(own)


def _check_classes(checkpoint: dict, path: Path, classes: Sequence[str], fix: str) -> None:
    meta = checkpoint.get('meta', {}).get('dataset_meta') or {}
    found = meta.get('classes', meta.get('CLASSES')) if isinstance(meta, dict) else meta
    if found is None:
        return
    found = found if isinstance(found, list | tuple) else [found]
    if list(map(str, found)) != list(map(str, classes)):
        raise InputError(
            f'{path}: made for other classes than those of the data set.',
            f'{len(found)}: {", ".join(map(str, found))}',
            f'{len(classes)}: {", ".join(map(str, classes))}, in this order',
            fix,
        )


def _check_names(
    weights: dict[str, Tensor], path: Path, expected: Mapping[str, Tensor], complete: bool
) -> None:
    missing = [name for name in expected if name not in weights and COUNTER not in name]
    unknown = [name for name in weights if name not in expected]
    if (complete and (missing or unknown)) or unknown == list(weights):
        raise InputError(
            f'{path}: not a checkpoint of this config.',
            f'missing: {_listed(missing)}; unknown: {_listed(unknown)}',
            'the weights of this very model',
            'give the config that the checkpoint was trained with (it lies beside it)',
        )


def _check_numbers(weights: dict[str, Tensor], path: Path) -> None:
    bad = [
        name
        for name, value in weights.items()
        if value.is_floating_point() and not torch.isfinite(value).all()
    ]
    if bad:
        raise InputError(
            f'{path}: {len(bad)} of its weights are not numbers.',
            f'NaN or infinity in {_listed(bad)}',
            'finite numbers',
            'use an earlier checkpoint; the training that wrote this one had diverged',
        )


def _fix(path: Path, unlike: list[str], complete: bool) -> str:
    if complete or not unlike:
        return 'give the config that the checkpoint was trained with, or another checkpoint'
    layers = sorted({name.rpartition('.')[0] for name in unlike})
    drops = ' '.join(f"--drop '{re.escape(layer)}'" for layer in layers[:4])
    return (
        'to start a training from its other weights, leave out those of the classes:\n'
        f'         {CONVERTER} {path} START.safetensors {drops}\n'
        '       and add --cfg-options load_from=START.safetensors'
    )


def _shapes(weights: Mapping[str, Tensor], names: list[str]) -> str:
    shapes = {name: getattr(weights[name], 'shape', None) for name in names[:4]}
    return ', '.join(
        f'{name} {"x".join(map(str, shape)) if shape is not None else "no tensor"}'
        for name, shape in shapes.items()
    )


def _listed(names: list[str]) -> str:
    more = f' and {len(names) - 4:,} more' if len(names) > 4 else ''
    return (', '.join(names[:4]) or 'none') + more
