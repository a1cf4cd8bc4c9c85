"""The state of a training in tensors and plain values, which is all that a checkpoint may hold.

MMEngine keeps the values of the log in ``HistoryBuffer`` objects, and some numbers as NumPy's. To
read either, ``torch.load(weights_only=True)`` needs an allow-list, and MMEngine's own lets a file
run code.
"""

from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import apply_to
from torch import Tensor


def plain_state(state: Any) -> Any:
    """Replace what plain ``torch.load(weights_only=True)`` does not read.

    Args:
        state: nested dicts, lists and tuples.

    Returns:
        The same with a dict of tensors for each history, which :func:`with_histories` undoes, a
        Python number for each of NumPy's, and a list for each array.
    """
    return apply_to(state, lambda value: isinstance(value, tuple(_PLAIN)), _plain_value)


def without_functions(states: Any) -> Any:
    """The states of schedulers without functions, which a scheduler has from its config.

    Args:
        states: one per scheduler; those of several optimizers are left as they are.
    """
    if not isinstance(states, list):
        return states
    return [
        {name: value for name, value in state.items() if not callable(value)} for state in states
    ]


def with_histories(message_hub: dict) -> dict:
    """The state of a message hub with its histories as they were.

    Args:
        message_hub: of a checkpoint; what is no history in it is left as it is.
    """
    scalars = {
        name: _history(value) if is_history(value) else value
        for name, value in message_hub['log_scalars'].items()
    }
    return {**message_hub, 'log_scalars': scalars}


def is_history(value: Any) -> bool:
    """Whether a value of a checkpoint is a history, or what one became."""
    if isinstance(value, HistoryBuffer):
        return True
    if not isinstance(value, dict) or value.keys() != {'log', 'count', 'max_length'}:
        return False
    log, count, length = value['log'], value['count'], value['max_length']
    return (
        isinstance(log, Tensor)
        and isinstance(count, Tensor)
        and log.ndim == 1
        and log.shape == count.shape
        and type(length) is int
    )


def _history(value: HistoryBuffer | dict) -> HistoryBuffer:
    if isinstance(value, HistoryBuffer):
        return value
    return HistoryBuffer(value['log'].tolist(), value['count'].tolist(), value['max_length'])


def _tensors(history: HistoryBuffer) -> dict:
    log, count = map(torch.from_numpy, history.data)
    return {'log': log, 'count': count, 'max_length': history.max_length}


_PLAIN = {HistoryBuffer: _tensors, np.generic: np.generic.item, np.ndarray: np.ndarray.tolist}


def _plain_value(value: Any) -> Any:
    return next(convert(value) for kind, convert in _PLAIN.items() if isinstance(value, kind))
