"""The one way in which this project reads a checkpoint."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from mmengine.logging import print_log
from torch.serialization import MAGIC_NUMBER, safe_globals

from mmdet_digits.checkpoints.archive import read_pickle
from mmdet_digits.checkpoints.rehearsal import rehearse
from mmdet_digits.checkpoints.safetensors_files import SUFFIX, read_safetensors
from mmdet_digits.checkpoints.stand_ins import STAND_INS, RefusedError
from mmdet_digits.utils.errors import InputError

EXPECTED = 'a .pth file that tools/train.py wrote, or a .safetensors file'
ZIP = b'PK\x03\x04'

_trusting = False


def trust_checkpoints() -> None:
    """From now on, let every checkpoint that this process reads run what code it holds."""
    global _trusting
    _trusting = True


def read_checkpoint(path: Path | str, map_location: str | Callable | None = 'cpu') -> dict:
    """Read a checkpoint. No code in it runs, unless :func:`trust_checkpoints` was called.

    It is checked for damage from end to end, gone through once without calling anything it names,
    and then loaded by ``torch.load(weights_only=True)`` with stand-ins for the few types that
    MMEngine's checkpoints need.

    Args:
        path: a ``.pth`` file in any format of ``torch.save``, or a ``.safetensors`` file.
        map_location: as for ``torch.load``; tensors of a ``.safetensors`` file are on the CPU.

    Raises:
        InputError: it is no checkpoint, is damaged, or asks for what no checkpoint needs.
    """
    path = Path(path)
    _check_file(path)
    with _explained(path):
        if path.suffix == SUFFIX:
            checkpoint = read_safetensors(path)
        elif _trusting:
            print_log(
                f'{path}: trusted. Code in it runs now.', logger='current', level=logging.WARNING
            )
            checkpoint = torch.load(path, map_location, weights_only=False)
        else:
            _rehearse_file(path)
            checkpoint = _load_safely(path, map_location)
    return _checked(checkpoint, path)


def inspect_checkpoint(path: Path | str, whole: bool = True) -> dict:
    """Check a checkpoint for damage from end to end, without loading its tensors.

    Args:
        path: a ``.pth`` file.
        whole: whether to read its tensors too; only damage elsewhere is found without.

    Returns:
        Its content, with an object that says nothing in the place of each tensor.

    Raises:
        InputError: as for :func:`read_checkpoint`.
    """
    path = Path(path)
    _check_file(path)
    with _explained(path):
        content = _rehearse_file(path, whole)
    return _checked(content, path)


def _check_file(path: Path) -> None:
    if path.is_file() and path.stat().st_size:
        return
    found = {path.is_file(): 'an empty file', path.is_dir(): 'a folder'}.get(True, 'nothing')
    raise InputError(f'{path}: no checkpoint.', found, EXPECTED, 'correct the path')


def _rehearse_file(path: Path, whole: bool = True) -> Any:
    size = path.stat().st_size
    with path.open('rb') as file:
        if file.read(len(ZIP)) == ZIP:
            return rehearse(io.BytesIO(read_pickle(path, whole)), size)
        file.seek(0)  # the format before torch 1.6: five pickles, then the numbers
        if rehearse(file, size) != MAGIC_NUMBER:
            raise ValueError('no file of torch.save')
        _protocol, _system, content, _keys = (rehearse(file, size) for _ in range(4))
        return content


def _load_safely(path: Path, map_location: str | Callable | None) -> Any:
    try:
        with safe_globals([(stand_in, name) for name, stand_in in STAND_INS.items()]):
            return torch.load(path, map_location, weights_only=True)
    except UnpicklingError as error:
        reason = str(error).partition('WeightsUnpickler error: ')[2].strip().partition('\n')[0]
        raise RefusedError(f"what torch's safe loader does not know: {reason}") from error


def _checked(checkpoint: Any, path: Path) -> dict:
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('meta', {}), dict):
        raise InputError(
            f'{path}: no checkpoint.',
            f'a {type(checkpoint).__name__} of other things',
            EXPECTED,
            'give another file',
        )
    # MMEngine's resume would run this text as Python. Its own checkpoints name it `cfg`.
    checkpoint.get('meta', {}).pop('config', None)
    return checkpoint


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong within into one message."""
    try:
        yield
    except RefusedError as error:
        raise InputError(
            f'{path}: refused, since loading it could run code or take all memory.',
            str(error),
            'tensors, numbers and texts, as tools/train.py writes them',
            'get the weights as .safetensors; or, if you trust whoever made this file with '
            'everything you have on this machine, add --trust-checkpoint',
        ) from None
    except InputError:
        raise
    except Exception as error:  # what is raised depends on where the bytes stop making sense
        raise InputError(
            f'{path}: cannot be read as a checkpoint.',
            f'{_kind(path, error)} ({path.stat().st_size:,} bytes)',
            EXPECTED,
            'copy the file again, or use another checkpoint',
        ) from error


def _kind(path: Path, error: Exception) -> str:
    """Say what a file is that cannot be read."""
    reason = str(error).strip().partition('\n')[0] or type(error).__name__
    with path.open('rb') as file:
        start = file.read(len(ZIP))
    if path.suffix == SUFFIX:
        return f'no whole {SUFFIX} file: {reason}'
    if start == ZIP:
        return f'an archive that is cut off or damaged: {reason}'
    return 'neither an archive nor a pickle of torch, or only the beginning of one'
