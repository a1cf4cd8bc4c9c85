"""Files that a kill, a full disk or a power cut leaves as they were or as they are to be."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

from mmdet_digits.utils.errors import RunError

PART = '.part'
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_durably(path: Path | str, content: bytes) -> None:
    """Replace a file by another content, at once and for good.

    The content goes to a file beside it, ``.PID.NAME.part``, is flushed to the disk, and takes the
    name. So under the name there is always the old file or the new one, whole.

    Args:
        path: the file; its folder is made if it is not there.
        content: all of it.

    Raises:
        RunError: the disk is full. The old file is still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{os.getpid()}.{path.name}{PART}')  # ranks may write the same file
    try:
        with part.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise _no_space(path, len(content), error) from error
        raise
    _sync_folder(path.parent)


def remove_parts(folder: Path | str, pattern: str) -> list[Path]:
    """Remove what killed processes left of files that they were writing into a folder.

    Args:
        folder: it need not exist.
        pattern: names of the files, e.g. ``'*.pth'``.

    Returns:
        What was removed.
    """
    parts = sorted(Path(folder).glob(f'.{pattern}{PART}'))
    for part in parts:
        part.unlink(missing_ok=True)
    return parts


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


def _no_space(path: Path, needed: int, error: OSError) -> RunError:
    kept = f'{path} is as it was' if path.exists() else 'files written before are whole'
    return RunError(
        f'{path}: not written; {kept}.',
        f'{error.strerror.lower()}; {shutil.disk_usage(path.parent).free:,} bytes are free there',
        f'{needed:,} bytes',
        'make room, or name a folder on another disk; a training goes on with the same command '
        'and --resume',
    )
