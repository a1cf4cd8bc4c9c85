"""The splits of a dataset folder, and the error that refuses to touch one."""

from pathlib import Path

from mmdet_digits.errors import InputError

SPLITS = ('train', 'valid', 'test')
FIX = 'give another folder with --out, or move this one away'


class FolderError(InputError):
    """A folder is not as it has to be. The message says which, what was found and the fix."""


def describe(folder: Path, limit: int = 5) -> str:
    """Name a few members of a folder, for messages."""
    if folder.is_symlink():
        return f'a link to {folder.readlink()}'
    if not folder.is_dir():
        return 'a file, not a folder'
    names = sorted(p.name + ('/' if p.is_dir() else '') for p in folder.iterdir())
    if not names:
        return 'an empty folder'
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return ', '.join(names[:limit]) + more
