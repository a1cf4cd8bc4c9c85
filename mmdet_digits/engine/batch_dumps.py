"""A training batch and the model that met it, in a file that holds no code."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import InstanceData

from mmdet_digits.utils.durable_files import write_durably
from mmdet_digits.utils.errors import InputError

KEYS = {
    'epoch',
    'iteration',
    'losses',
    'inputs',
    'data_samples',
    'state_dict',
    'random_states',
    'device',
    'precision',
    'config',
}


def plain(value: Any) -> Any:
    """Turn arrays, boxes, instances and paths into tensors, numbers, texts, dicts and lists."""
    if isinstance(value, DetDataSample):
        fields = {name: plain(data) for name, data in value.items()}
        return {'metainfo': plain(dict(value.metainfo_items())), **fields}
    if isinstance(value, InstanceData):
        return {name: plain(data) for name, data in value.items()}
    if isinstance(value, BaseBoxes):
        value = value.tensor
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    return value if isinstance(value, bool | int | float | None) else str(value)


def to_batch(dump: dict) -> dict:
    """The batch of a dump as a data loader gives it: ``inputs`` and ``data_samples``."""
    samples = []
    for fields in dump['data_samples']:
        sample = DetDataSample(metainfo=fields['metainfo'])
        for name, instances in fields.items():
            if name != 'metainfo':
                setattr(sample, name, InstanceData(**instances))
        samples.append(sample)
    return dict(inputs=list(dump['inputs']), data_samples=samples)


def write_dump(path: Path | str, dump: dict) -> None:
    """Write a dump.

    Args:
        path: where.
        dump: a value for each of ``KEYS``, of what :func:`plain` gives.

    Raises:
        RunError: the disk is full.
    """
    buffer = io.BytesIO()
    torch.save(dump, buffer)
    write_durably(path, buffer.getvalue())


def read_dump(path: Path | str) -> dict:
    """Load a dump; nothing in it is run.

    Raises:
        InputError: it is not there, is broken, or is something else.
    """
    try:
        dump = torch.load(path, map_location='cpu', weights_only=True)
        if not isinstance(dump, dict):
            raise TypeError(f'a {type(dump).__name__}')
        lacking = KEYS - dump.keys()
        found = f'a file without {", ".join(sorted(lacking))}' if lacking else ''
    except pickle.UnpicklingError:
        found = 'a file that is broken, or holds more than tensors, numbers and texts'
    except Exception as error:  # a broken file may raise anything
        found = str(error).partition('\n')[0]
    if found:
        raise InputError(
            f'{path}: not the dump of a batch.',
            found,
            'a nonfinite_EPOCH_ITERATION.pth that tools/train.py wrote',
            'give the path that the message of the training names',
        )
    return dump
