"""Whether a checkpoint belongs to a model and to its classes."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import ReduceOnPlateauParamScheduler, _ParamScheduler
from torch import Tensor

from mmdet_digits.checkpoints.reading import EXPECTED
from mmdet_digits.errors import InputError

COUNTER = 'num_batches_tracked'
"""Batch norm layers of old checkpoints lack it; it changes no result."""
GIVE_ANOTHER = 'give the config that the checkpoint was trained with, or another checkpoint'


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
) -> list[str]:
    """Check that a checkpoint can be loaded into a model.

    Args:
        checkpoint: as read.
        path: where it came from, for messages.
        expected: the state of the model.
        classes: what the model's labels stand for.
        complete: whether every weight has to be there, and no other; where not, a training may
            start from some of them.

    Returns:
        Names of the weights that do not fit and can be left out: a training starts, and the
        checkpoint's heads have another number of outputs, as those for other classes have.

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
    fitting = [name for name in expected if name in weights and name not in unlike]
    droppable = bool(unlike and fitting and not complete) and all(
        _differs_in_outputs(weights[name], expected[name]) for name in unlike
    )
    _check_classes(checkpoint, path, classes, droppable)
    _check_names(weights, path, expected, complete)
    if unlike and not droppable:
        raise InputError(
            f'{path}: not a checkpoint of this config: {len(unlike)} weights of other shapes.',
            _shapes(weights, unlike),
            _shapes(expected, unlike),
            GIVE_ANOTHER,
        )
    _check_numbers({name: weights[name] for name in fitting}, path)
    return unlike


def check_network(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], network: str
) -> None:
    """Check that weights are all those of a network of another library, and no others.

    Args:
        weights: by the names of that library.
        expected: the state of the network.
        network: its name, for the message.

    Raises:
        InputError: a weight is missing, unknown or of another shape.
    """
    faults = {
        'missing': [name for name in expected if name not in weights and COUNTER not in name],
        'unknown': [name for name in weights if name not in expected],
        'of another shape': [
            name
            for name, value in weights.items()
            if name in expected and getattr(value, 'shape', None) != expected[name].shape
        ],
    }
    if any(faults.values()):
        raise InputError(
            f'not the weights of {network}.',
            '; '.join(f'{what}: {_listed(names)}' for what, names in faults.items() if names),
            'exactly its weights',
            'give a file that was written for this very network',
        )


def leave_out(
    checkpoint: dict, path: Path | str, names: Sequence[str], expected: Mapping[str, Tensor]
) -> None:
    """Take weights out of a checkpoint, with a warning that names them and their shapes.

    Args:
        checkpoint: as read; changed in place.
        path: where it came from.
        names: as :func:`check_checkpoint` returns them.
        expected: the state of the model.
    """
    weights = weights_of(checkpoint)
    lines = [f'  {_shapes(weights, [name])}, here {_shape(expected[name])}' for name in names]
    print_log(
        f'{path}: {len(names)} weights are left out, since the model has another number of outputs '
        'there; these start at random:\n' + '\n'.join(lines),
        'current',
        logging.WARNING,
    )
    checkpoint['state_dict'] = {name: value for name, value in weights.items() if name not in names}


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
        if isinstance(scheduler, ReduceOnPlateauParamScheduler):
            own['best'] = float(own['best'])  # a whole number until there is a metric
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


def _differs_in_outputs(found: Any, expected: Tensor) -> bool:
    """Whether two weights are of the same layer with another number of outputs, its first axis."""
    return isinstance(found, Tensor) and found.ndim > 0 and found.shape[1:] == expected.shape[1:]


def _check_classes(
    checkpoint: dict, path: Path | str, classes: Sequence[str], head_is_left_out: bool
) -> None:
    """Raise if the labels of a checkpoint stand for something else.

    A head for another number of classes may be left out; one for as many would be loaded.
    """
    meta = checkpoint.get('meta', {})
    found = meta.get('dataset_meta') or {'classes': meta.get('CLASSES')}
    found = found.get('classes', found.get('CLASSES')) if isinstance(found, dict) else found
    if found is None:
        return
    found = found if isinstance(found, list | tuple) else [found]
    if head_is_left_out and len(found) != len(classes):
        return
    if list(map(str, found)) != list(map(str, classes)):
        raise InputError(
            f'{path}: made for other classes than those of the data set.',
            f'{len(found)}: {", ".join(map(str, found))}',
            f'{len(classes)}: {", ".join(map(str, classes))}, in this order',
            GIVE_ANOTHER,
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


def _shapes(weights: Mapping[str, Tensor], names: list[str]) -> str:
    return ', '.join(f'{name} {_shape(weights[name])}' for name in names[:4])


def _shape(weight: Any) -> str:
    shape = getattr(weight, 'shape', None)
    return 'x'.join(map(str, shape)) if shape is not None else 'no tensor'


def _listed(names: list[str]) -> str:
    more = f' and {len(names) - 4:,} more' if len(names) > 4 else ''
    return (', '.join(names[:4]) or 'none') + more
