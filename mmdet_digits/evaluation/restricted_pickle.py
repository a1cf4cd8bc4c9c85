"""Reading mmdet's prediction dumps without running what else a pickle may hold."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch._utils import _rebuild_tensor_v2

from mmdet_digits.errors import InputError
from mmdet_digits.files import read_file
from mmdet_digits.repository import tool_command


def _load_storage(data: bytes) -> Any:
    """Load a tensor's storage. torch's own function would unpickle anything."""
    return torch.load(io.BytesIO(data), weights_only=True)


def _encode(text: str, encoding: str) -> bytes:
    """Undo how pickle protocol 2 writes bytes; other codecs are none of its business."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'bytes encoded as {encoding}')
    return text.encode('latin1')


ALLOWED = {
    ('collections', 'OrderedDict'): OrderedDict,
    ('_codecs', 'encode'): _encode,
    ('torch._utils', '_rebuild_tensor_v2'): _rebuild_tensor_v2,
    ('torch.storage', '_load_from_bytes'): _load_storage,
    ('torch', 'Size'): torch.Size,
}
"""All that a dump of DumpDetResults needs: tensors, numbers and texts in dicts and lists."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed function or class.

        Raises:
            pickle.UnpicklingError: it is not allowed.
        """
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        raise pickle.UnpicklingError(f'{module}.{name}, which a dump of predictions does not need')


def load_dump(path: Path | str) -> Any:
    """Load a pickle of tensors, numbers, texts, dicts and lists.

    Args:
        path: a file that ``tools/test.py --out`` wrote.

    Raises:
        InputError: it is not there, is broken, or asks for anything else; that is not run.
    """
    data = read_file(path, 'a .pkl file that tools/test.py --out wrote')
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except Exception as error:  # a broken pickle may raise anything
        raise InputError(
            f'{path}: not loaded, since reading a pickle can run code.',
            str(error) or type(error).__name__,
            'tensors, numbers and texts in dicts and lists, as tools/test.py --out writes them',
            f'write the file again by {tool_command("test")} --out, or give a pred.json',
        ) from error
