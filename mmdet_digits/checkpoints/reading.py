"""The one way in which this project reads a checkpoint."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import ZipFile

import torch
from mmengine.logging import print_log
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

from mmdet_digits.checkpoints.safetensors_files import SUFFIX, read_safetensors
from mmdet_digits.errors import InputError
from mmdet_digits.repository import tool_command

EXPECTED = 'a .pth file that tools/train.py wrote, or a .safetensors file'
ZIP = b'PK\x03\x04'
NAME_IN_PICKLE = re.compile(r'GLOBAL ([\w.]+) (?:was not|whose)')
"""A function or class that a checkpoint asks for, in torch's message."""

_trusting = False


def trust_checkpoints() -> None:
    """From now on, let every checkpoint that this process reads run what code it holds."""
    global _trusting
    _trusting = True


def read_checkpoint(path: Path | str) -> dict:
    """Read a checkpoint. No code in it runs, unless :func:`trust_checkpoints` was called.

    It is checked for damage from end to end, and loaded by ``torch.load(weights_only=True)``
    without any allow-list.

    Args:
        path: a ``.pth`` file in any format of ``torch.save``, or a ``.safetensors`` file.

    Returns:
        Its content, tensors on the CPU.

    Raises:
        InputError: it is no checkpoint, is damaged, or asks for more than tensors and plain values.
    """
    return _read(Path(path), whole=True, mapped=False)


def inspect_checkpoint(path: Path | str, whole: bool = True) -> dict:
    """Read a checkpoint, but leave its tensors in the file until they are used.

    Args:
        path: as for :func:`read_checkpoint`.
        whole: whether to check the tensors for damage too.

    Returns:
        Its content.

    Raises:
        InputError: as for :func:`read_checkpoint`.
    """
    return _read(Path(path), whole, mapped=True)


def _read(path: Path, whole: bool, mapped: bool) -> dict:
    _check_file(path)
    with _explained(path):
        if path.suffix == SUFFIX:
            checkpoint = read_safetensors(path)
        else:
            zipped = _starts(path) == ZIP  # files from before torch 1.6 are no archives
            if zipped and whole:
                _check_sums(path)
            checkpoint = _load(path, mapped and zipped)
    return _checked(checkpoint, path)


def _check_file(path: Path) -> None:
    if path.is_file() and path.stat().st_size:
        return
    found = {path.is_file(): 'an empty file', path.is_dir(): 'a folder'}.get(True, 'nothing')
    raise InputError(f'{path}: no checkpoint.', found, EXPECTED, 'correct the path')


def _check_sums(path: Path) -> None:
    """Compare the content with its checksums, which torch does not look at."""
    with ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f'{damaged} is not what its checksum says')


def _load(path: Path, mapped: bool) -> Any:
    if not _trusting:
        with _no_allow_list(), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of pickle protocols: what is wrong is said by name
            return torch.load(path, 'cpu', weights_only=True, mmap=mapped)
    print_log(f'{path}: trusted. Code in it runs now.', 'current', logging.WARNING)
    return torch.load(path, 'cpu', weights_only=False, mmap=mapped)


@contextmanager
def _no_allow_list() -> Iterator[None]:
    """Set aside what some package may have allowed checkpoints to ask for."""
    allowed = get_safe_globals()
    clear_safe_globals()
    try:
        yield
    finally:
        add_safe_globals(allowed)


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
    except InputError:
        raise
    except UnpicklingError as error:
        name = NAME_IN_PICKLE.search(str(error))
        if not _trusting and (name or _starts(path) == ZIP):
            raise _refused(path, name[1] if name else _reason(error)) from None
        raise _unreadable(path, error) from error
    except Exception as error:  # what is raised depends on where the bytes stop making sense
        raise _unreadable(path, error) from error


def _refused(path: Path, found: str) -> InputError:
    of_mmengine = found.startswith(('mmengine.', 'numpy.'))
    return InputError(
        f'{path}: refused, since loading it could run code.',
        found + ', as in checkpoints of MMEngine and of earlier versions' * of_mmengine,
        'tensors, numbers and texts, as tools/train.py writes them',
        'get the weights as .safetensors; or, if you trust whoever made this file with everything '
        'you have on this machine, add --trust-checkpoint '
        f'({tool_command("model_converters/checkpoint2safetensors")} with it makes such a file)',
    )


def _unreadable(path: Path, error: Exception) -> InputError:
    found = 'neither an archive nor a pickle of torch, or only the beginning of one'
    if path.suffix == SUFFIX:
        found = f'no whole {SUFFIX} file: {_reason(error)}'
    elif _starts(path) == ZIP:
        found = f'an archive that is cut off or damaged: {_reason(error)}'
    return InputError(
        f'{path}: cannot be read as a checkpoint.',
        f'{found} ({path.stat().st_size:,} bytes)',
        EXPECTED,
        'copy the file again, or use another checkpoint',
    )


def _reason(error: Exception) -> str:
    """What torch says, without its advice to run what the file holds."""
    text = str(error).rpartition('WeightsUnpickler error:')[2].strip()
    return re.split(r'\n| In PyTorch ', text)[0] or type(error).__name__


def _starts(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(len(ZIP))
