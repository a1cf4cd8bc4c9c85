"""Weights in files that can hold nothing but numbers and texts."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from mmdet_digits.durable_files import write_durably

SUFFIX = '.safetensors'
METADATA = ('classes', 'config', 'versions')
"""What is known about the weights, each as JSON."""


def write_safetensors(path: Path, weights: dict[str, Tensor], metadata: dict) -> None:
    """Write weights.

    Args:
        path: the file, which is replaced.
        weights: tensor per name.
        metadata: any of :data:`METADATA`.

    Raises:
        RunError: the disk is full.
    """
    own = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    texts = {name: json.dumps(value) for name, value in metadata.items()}
    write_durably(path, save(own, {'format': 'pt', **texts}))


def read_safetensors(path: Path) -> dict:
    """Read weights, as a checkpoint of MMEngine.

    Args:
        path: the file.

    Returns:
        ``state_dict`` and ``meta``.

    Raises:
        Exception: of any kind, if it is not such a file.
    """
    with safe_open(path, framework='pt', backend='pread') as file:
        texts = file.metadata() or {}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    known = {name: json.loads(texts[name]) for name in METADATA if name in texts}
    meta = {}
    if 'classes' in known:
        meta['dataset_meta'] = {'classes': tuple(known['classes'])}
    if 'config' in known:
        meta['cfg'] = known['config']
    if 'versions' in known:
        meta['versions'] = known['versions']
    return {'state_dict': weights, 'meta': meta}
