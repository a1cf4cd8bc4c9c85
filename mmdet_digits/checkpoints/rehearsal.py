"""Unpickling a checkpoint without making what it asks for.

Before torch reads a checkpoint, its pickle is gone through once with harmless objects in the place
of everything that it names. So every name that it should not ask for is known, and how much memory
it would claim, while nothing of it has been called.
"""

import pickle
from collections import Counter, OrderedDict
from typing import IO, Any

import torch
from torch.serialization import StorageType

from mmdet_digits.checkpoints.stand_ins import STAND_INS, Array, Dtype, History, RefusedError

PYTHON_2 = {'__builtin__': 'builtins'}
"""Names of modules as protocol 2 writes them, which torch uses."""

REBUILT = frozenset(
    {
        'torch._utils._rebuild_parameter',
        'torch._utils._rebuild_tensor',
        'torch._utils._rebuild_tensor_v2',
        'torch.nn.parameter.Parameter',
    }
)
"""What makes tensors; torch itself checks the arguments."""

ITEM_BYTES = {
    'torch.storage.UntypedStorage': 1,
    **{
        f'torch.{kind.__name__}': StorageType(kind.__name__).dtype.itemsize
        for kind in torch._storage_classes - {torch.TypedStorage, torch.UntypedStorage}
    },
}
"""Size of an item of each kind of storage."""


class Inert:
    """In the place of a tensor, and of everything that is refused."""

    def __new__(cls, *args: Any, **kwargs: Any) -> 'Inert':
        """Take any arguments, and keep none."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        """Keep nothing."""


class _Storage:
    """A kind of storage, named in the pickle."""

    def __init__(self, item_bytes: int) -> None:
        self.item_bytes = item_bytes


class _Rehearsal(pickle._Unpickler):
    """An unpickler that imports nothing and calls nothing but the stand-ins.

    Args:
        file: where the pickle stands.
        limit: bytes that all tensors and texts may have together.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: IO[bytes], limit: int) -> None:
        super().__init__(file, encoding='utf-8')
        self.refused: set[str] = set()
        self._left = limit
        self._storages: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name; one that is not needed is noted."""
        full = f'{PYTHON_2.get(module, module)}.{name}'
        if not all(part.isidentifier() for part in full.split('.')):
            raise pickle.UnpicklingError('a text, not a pickle')
        if full in ITEM_BYTES:
            return _Storage(ITEM_BYTES[full])
        own = {
            'collections.OrderedDict': self._ordered_dict,
            'collections.Counter': self._counter,
            '_codecs.encode': self._encode,
        }
        if full in STAND_INS or full in own:
            return (STAND_INS | own)[full]
        if full not in REBUILT:
            self.refused.add(full)
        return Inert

    def persistent_load(self, pid: Any) -> Inert:
        """Note how much memory a storage claims."""
        kind, storage, key, _, items, *_ = pid
        if kind != 'storage' or not isinstance(storage, _Storage) or type(items) is not int:
            raise RefusedError(f'a persistent id of {kind!r}')
        if key not in self._storages:
            self._storages.add(key)
            self._spend(items * storage.item_bytes)
        return Inert()

    def load_build(self) -> None:
        """Give state to an object, of these kinds only."""
        state, target = self.stack[-1], self.stack[-2]
        if isinstance(target, OrderedDict):
            allowed = isinstance(state, dict) and state.keys() <= {'_metadata'}
        else:
            allowed = isinstance(target, Array | Dtype | History | Inert)
        if not allowed:
            raise RefusedError(f'a state that no {type(target).__name__} needs')
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build

    def _ordered_dict(self, items: list | tuple = ()) -> OrderedDict:
        self._spend(len(items))
        return OrderedDict(items)

    def _counter(self, counts: dict) -> Counter:
        self._spend(len(counts))
        return Counter(counts)

    def _encode(self, text: str, encoding: str) -> bytes:
        """Bytes as protocol 2 writes them; other codecs can multiply their input."""
        if encoding != 'latin1':
            raise RefusedError(f'bytes in the encoding {encoding!r}')
        self._spend(len(text))
        return text.encode(encoding)

    def _spend(self, amount: int) -> None:
        self._left -= amount
        if amount < 0 or self._left < 0:
            raise RefusedError('more memory than the file has bytes')


def rehearse(file: IO[bytes], limit: int) -> Any:
    """Unpickle without calling anything that a pickle names.

    Args:
        file: where the pickle stands; left where it ends.
        limit: bytes that all tensors and texts may have together.

    Returns:
        The content, an :class:`Inert` for each tensor.

    Raises:
        RefusedError: it asks for what no checkpoint needs.
        Exception: of any kind, if it is no sound pickle.
    """
    unpickler = _Rehearsal(file, limit)
    try:
        content = unpickler.load()
    except Exception:
        if unpickler.refused:
            raise RefusedError(*sorted(unpickler.refused)) from None
        raise
    if unpickler.refused:
        raise RefusedError(*sorted(unpickler.refused))
    return content
