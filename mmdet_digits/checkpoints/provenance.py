"""Where a checkpoint comes from: the versions and the state of the code that wrote it."""

import functools
import importlib
import platform
import subprocess
from pathlib import Path

MODULES = ('torch', 'torchvision', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'mmdet_digits')


def versions() -> dict[str, str]:
    """The version of Python and of every package that decides what a model computes."""
    found = {name: str(importlib.import_module(name).__version__) for name in MODULES}
    return {'python': platform.python_version(), **found}


@functools.cache
def git_state(folder: Path) -> dict[str, str | bool] | None:
    """The commit of a repository and whether tracked files differ from it, as it is first asked.

    Args:
        folder: within the repository.

    Returns:
        ``commit`` and ``dirty``, or None where there is no repository or no git.
    """
    try:
        commit, changes = (
            subprocess.run(
                ['git', '-C', folder, *command],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for command in (
                ('rev-parse', 'HEAD'),
                ('status', '--porcelain', '--untracked-files=no'),
            )
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {'commit': commit, 'dirty': bool(changes)}
