"""Which checkpoint a training goes on from."""

import logging
from pathlib import Path

from mmengine.logging import print_log

from mmdet_digits.checkpoints.plain_state import is_history
from mmdet_digits.checkpoints.reading import inspect_checkpoint
from mmdet_digits.errors import InputError

NEEDED = ('state_dict', 'optimizer', 'message_hub', 'meta')


def find_resumable(folder: Path | str, wanted: Path | str | None = None) -> Path | None:
    """Choose the checkpoint to go on from.

    Args:
        folder: where a training keeps its checkpoints.
        wanted: the one that was asked for; None for the last one that is whole.

    Returns:
        The checkpoint; None if the folder has none and none was asked for.

    Raises:
        InputError: the one that was asked for cannot be used, or none of those in the folder.
    """
    if wanted is not None:
        return _check_wanted(Path(wanted), Path(folder))
    usable, faults = _last_usable(Path(folder))
    if usable is None and faults:
        raise InputError(
            f'{folder}: none of its checkpoints can be resumed from.',
            ''.join(f'\n    {fault}' for fault in faults),
            'at least one whole checkpoint',
            'train again in another folder: --work-dir NEW, without --resume',
        )
    if usable is None:
        print_log(
            f'No checkpoint in {folder} to resume from: the training starts from the beginning.',
            'current',
        )
        return None
    for fault in faults:
        print_log(f'A newer checkpoint is left out. {fault}', 'current', logging.WARNING)
    print_log(f'Going on from {usable}, the last checkpoint that is whole.', 'current')
    return usable


def check_resumable(path: Path) -> dict:
    """Check that a training can go on from a checkpoint.

    Args:
        path: the checkpoint.

    Returns:
        What it holds, its tensors still in the file.

    Raises:
        InputError: it is damaged, or lacks something.
    """
    content = inspect_checkpoint(path)
    lacking = [key for key in NEEDED if not isinstance(content.get(key), dict)]
    lacking += [
        f'meta.{key}'
        for key in ('epoch', 'iter')
        if 'meta' not in lacking and type(content['meta'].get(key)) is not int
    ]
    if 'message_hub' not in lacking:
        histories = content['message_hub'].get('log_scalars')
        if not isinstance(histories, dict) or not all(map(is_history, histories.values())):
            lacking.append('message_hub.log_scalars')
    schedulers = content.get('param_schedulers', [])
    if not isinstance(schedulers, list) or not all(isinstance(s, dict) for s in schedulers):
        lacking.append('list of states in param_schedulers')
    if lacking:
        raise InputError(
            f'{path}: a training cannot go on from it, only start from its weights.',
            f'no {", no ".join(lacking)}',
            ', '.join(NEEDED),
            f'to start from its weights: --cfg-options load_from={path}',
        )
    return content


def _check_wanted(wanted: Path, folder: Path) -> Path:
    try:
        check_resumable(wanted)
    except InputError as error:
        folder = folder if folder.is_dir() else wanted.parent
        usable, _ = _last_usable(folder, leave_out=wanted)
        hint = f'the last whole checkpoint is {usable}' if usable else 'there is no other whole one'
        raise InputError(f'{error}\n       ({hint})') from error
    return wanted


def _last_usable(
    folder: Path, leave_out: Path | None = None
) -> tuple[Path | None, list[InputError]]:
    """The last checkpoint that is whole, and what is wrong with each that is newer."""
    paths = [path for path in folder.glob('*.pth') if not path.name.startswith('best_')]
    faults = []
    for path in sorted(paths, key=_age, reverse=True):
        if leave_out and path.exists() and leave_out.exists() and path.samefile(leave_out):
            continue
        try:
            check_resumable(path)
        except InputError as error:
            faults.append(error)
        else:
            return path, faults
    return None, faults


def _age(path: Path) -> tuple[float, int]:
    """When a checkpoint was saved, which a copy of the file does not change, and its iteration."""
    try:
        meta = inspect_checkpoint(path, whole=False)['meta']
        return float(meta['saved_at']), int(meta['iter'])
    except (InputError, KeyError, TypeError, ValueError):
        return path.lstat().st_mtime, 0  # of a link that leads nowhere, its own
