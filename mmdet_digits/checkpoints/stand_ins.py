"""What a checkpoint of MMEngine holds beside tensors and plain values, without what could go wrong.

A pickle names functions and classes and has them called. Under the names that MMEngine's
checkpoints need, the loader offers these stand-ins, which take nothing but what a sound checkpoint
gives them. The originals take more: ``HistoryBuffer.__setstate__`` stores any attribute and calls
methods of what it stores, ``getattr`` reaches every function, and ``numpy.dtype`` and
``numpy.ndarray`` believe sizes that they are told.
"""

import re
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

STATISTICS = ('min', 'max', 'mean', 'current')
NUMBER = re.compile(r'[biuf][1248]|f16')
PLAIN_DTYPE_STATE = (None, None, None, -1, -1, 0)


class RefusedError(Exception):
    """A checkpoint asks for what no checkpoint needs.

    Args:
        *names: functions and classes by name, or what else is wrong.
    """

    def __init__(self, *names: str) -> None:
        super().__init__(', '.join(names))


class Dtype:
    """Stands for ``numpy.dtype``: of plain numbers.

    Attributes:
        dtype: the dtype itself.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not isinstance(code, str) or not NUMBER.fullmatch(code):
            raise RefusedError(f'an array of {code!r}')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        """Take the byte order."""
        _, order, *rest = state
        if order not in ('<', '>', '|', '=') or tuple(rest) != PLAIN_DTYPE_STATE:
            raise RefusedError('an array of no plain numbers')
        self.dtype = self.dtype.newbyteorder(order)


class Array(np.ndarray):
    """Stands for ``numpy.ndarray``, and is one; pickled again it is a plain one."""

    def __new__(cls) -> 'Array':
        """An empty array; its state makes it another."""
        return super().__new__(cls, (0,))

    def __setstate__(self, state: tuple) -> None:
        """Take shape and numbers."""
        version, shape, dtype, fortran, data = state
        if not isinstance(dtype, Dtype) or not isinstance(data, bytes | str):
            raise RefusedError('an array of other objects than numbers')
        super().__setstate__((version, shape, dtype.dtype, fortran, data))

    def __reduce__(self) -> tuple:
        return np.asarray(self).view(np.ndarray).__reduce__()


class History:
    """Stands for MMEngine's ``HistoryBuffer``, and becomes one as soon as it has its state."""

    def __setstate__(self, state: dict) -> None:
        """Take the numbers and their counts."""
        log, count, length = (
            state[name] for name in ('_log_history', '_count_history', 'max_length')
        )
        if not (isinstance(log, Array) and isinstance(count, Array) and isinstance(length, int)):
            raise RefusedError('a HistoryBuffer of other things than numbers')
        if log.ndim != 1 or log.shape != count.shape:
            raise RefusedError('a HistoryBuffer whose numbers and counts do not match')
        self._log_history, self._count_history = log.view(np.ndarray), count.view(np.ndarray)
        self.max_length = length
        self.__class__ = HistoryBuffer
        self._set_default_statistics()


def new_array(kind: type, shape: tuple, code: bytes) -> Array:
    """Stands for NumPy's ``_reconstruct``, which makes the array that then gets its state."""
    if kind is not Array:
        raise RefusedError('an array of a class of its own')
    return Array()


def number(dtype: Dtype, data: bytes) -> np.generic:
    """Stands for NumPy's ``scalar``."""
    (value,) = np.frombuffer(data, dtype.dtype)
    return value


def statistic(owner: type, name: str) -> str:
    """Stands for ``getattr``, by which a pickled ``HistoryBuffer`` names its own four methods."""
    if owner is not History or name not in STATISTICS:
        raise RefusedError(f'getattr, by which every function can be reached ({name!r})')
    return name


NUMPY: dict[str, Any] = {
    'numpy.dtype': Dtype,
    'numpy.ndarray': Array,
    **{
        f'numpy.{core}.multiarray.{name}': function
        for core in ('core', '_core')
        for name, function in (('_reconstruct', new_array), ('scalar', number))
    },
}
MMENGINE: dict[str, Any] = {
    'mmengine.logging.history_buffer.HistoryBuffer': History,
    'builtins.getattr': statistic,
}
STAND_INS = NUMPY | MMENGINE
"""By the name under which pickles ask for the original."""
