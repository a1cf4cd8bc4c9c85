"""Files that a kill, a full disk or a power cut leaves as they were or as they are to be."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from mmdet_digits.errors import RunError

PART = '.part'
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_durably(path: Path | str, content: bytes | Iterable[bytes], flush: bool = True) -> None:
    """Replace a file by another content, at once and for good.

    The content goes to a file beside it, ``.PID.NAME.part``, is flushed to the disk, and takes the
    name. So under the name there is always the old file or the new one, whole.

    Args:
        path: the file; its folder is made if it is not there.
        content: all of it, or its parts as they come.
        flush: False for one of many files of which a later one says that all are there; a power cut
            may take those.

    Raises:
        RunError: the disk is full. The old file is still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        with part.open('wb') as file:
            for piece in [content] if isinstance(content, bytes) else content:
                file.write(piece)
            file.flush()
            if flush:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            needed = f'{len(content):,} bytes' if isinstance(content, bytes) else 'more'
            raise _no_space(path, needed, error) from error
        raise
    if flush:
        _sync_folder(path.parent)


def part_of(path: Path) -> Path:
    """Where this process makes a file or a folder before it takes its name."""
    return path.with_name(f'.{os.getpid()}.{path.name}{PART}')  # ranks may write the same file


def remove_parts(folder: Path | str, pattern: str) -> list[Path]:
    """Remove what killed processes left of files and folders that they were making in a folder.

    Args:
        folder: it need not exist.
        pattern: names of the files, e.g. ``'*.pth'``.

    Returns:
        What was removed.
    """
    found = sorted(Path(folder).glob(f'.{pattern}{PART}'))
    parts = [part for part in found if not _is_being_written(part)]
    for part in parts:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    return parts


def _is_being_written(part: Path) -> bool:
    """Whether another process that runs on this machine has begun a part."""
    process = part.name.split('.')[1]
    if not process.isdigit() or int(process) == os.getpid():
        return False
    if os.name != 'posix':  # os.kill would end it
        return True
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another account's
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename last, on systems that can open folders and on disks that have this."""
    if os.name != 'posix':
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _no_space(path: Path, needed: str, error: OSError) -> RunError:
    kept = f'{path} is as it was' if path.exists() else 'files written before are whole'
    return RunError(
        f'{path}: not written; {kept}.',
        f'{error.strerror.lower()}; {shutil.disk_usage(path.parent).free:,} bytes are free there',
        needed,
        'make room, or name a folder on another disk; a training goes on with the same command '
        'and --resume',
    )
