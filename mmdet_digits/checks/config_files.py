"""Loading config files, with clear messages about what is wrong in them."""

import ast
import difflib
import importlib.util
import os
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdet_digits.checks.schedule import follow_epochs
from mmdet_digits.errors import InputError
from mmdet_digits.files import read_file, read_json
from mmdet_digits.repository import DATA_ROOT, REPOSITORY

SUFFIXES = ('.py', '.json', '.yaml', '.yml')
EXPECTED = 'a .py file, as those of configs/digits/'


def read_config(name: str, data_root: str | None = None) -> Config:
    """Read a config file for the data in a folder.

    Args:
        name: its path, from here or from the root of this repository.
        data_root: None for ``DIGITS_DATA_ROOT``, or else ``data/digits``.

    Raises:
        InputError: there is no such config.
    """
    if data_root:
        os.environ['DIGITS_DATA_ROOT'] = str(Path(data_root).resolve())
    os.environ.setdefault('DIGITS_DATA_ROOT', str(DATA_ROOT))
    return load_config_file(find_config(name))


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Change values of a config, in place, as ``--cfg-options`` says: value per dotted path."""
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    cfg.merge_from_dict({path.lstrip('+'): value for path, value in options.items()})
    follow_epochs(cfg, epochs, options)


def find_config(name: str) -> Path:
    """Find a config by its path from here, or else from the root of this repository.

    Raises:
        InputError: neither exists.
    """
    for path in (Path(name), REPOSITORY / name):
        if path.is_file():
            return path
    known = [str(p.relative_to(REPOSITORY)) for p in sorted(REPOSITORY.glob('configs/[!_]*/*.py'))]
    raise InputError(
        f'{name}: no such config.',
        'a folder' if Path(name).is_dir() else 'nothing there',
        f'a file, e.g. one of {", ".join(known)}',
        f'did you mean {difflib.get_close_matches(name, known, n=1, cutoff=0)[0]}?',
    )


def load_config_file(path: Path) -> Config:
    """Load a config file and what it inherits from.

    Raises:
        InputError: it, or one of its bases, is not there, is no config or raises an error.
    """
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is Python: it may raise anything
        check_inheritance(path)  # which knows better what is wrong
        raise _explained(error, path) from error


def check_inheritance(path: Path, inheriting: Sequence[Path] = ()) -> None:
    """Check that a config and its bases can be read, and that none inherits from itself.

    Bases in packages, such as ``mmdet::``, are only looked for.

    Args:
        path: the config.
        inheriting: the config that has it as a base, and those above.

    Raises:
        InputError: a file is missing, cannot be parsed or is its own base.
    """
    if path in inheriting:
        raise InputError(
            f'{path}: inherits from itself.',
            ' -> '.join(map(str, (*inheriting, path))),
            'bases that lead to an end',
            'take one of these _base_ out',
        )
    _check_content(path)
    for name in Config._get_base_files(str(path)):
        package, separator, inner = name.rpartition('::')
        folder = Path(_installed(package), '.mim', 'configs') if separator else path.parent
        base = Path(folder, inner).resolve()
        if not base.is_file():
            raise InputError(
                f'{path}: a base is not there.',
                f'nothing at {base}, for {name!r}',
                EXPECTED,
                'correct its _base_',
            )
        if not separator:
            check_inheritance(base, (*inheriting, path))


def check_needed(cfg: Config, keys: Sequence[str]) -> None:
    """Check that a config has what a tool cannot do without.

    Raises:
        InputError: it lacks one of the top-level keys.
    """
    missing = [key for key in keys if not cfg.get(key)]
    if missing:
        raise InputError(
            f'{cfg.filename}: lacks {", ".join(missing)}.',
            ', '.join(cfg.keys()) or 'nothing in it',
            ', '.join(keys),
            "inherit them, e.g. _base_ = 'configs/digits/frcnn_tiny.py'",
        )


def _check_content(path: Path) -> None:
    """Raise InputError unless a file can be parsed as its name says."""
    if path.suffix not in SUFFIXES:
        raise InputError(
            f'{path}: no config.',
            f'a name that ends in {path.suffix!r}',
            EXPECTED,
            'correct the path',
        )
    if path.suffix == '.json':
        read_json(path, EXPECTED)
    if path.suffix != '.py':
        return
    try:
        ast.parse(read_file(path, EXPECTED))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, 'lineno', None)
        text = (getattr(error, 'text', None) or '').strip()
        raise InputError(
            f'{path}{f", line {line}" if line else ""}: not valid Python.',
            f'{error.args[0]}{f": {text}" if text else ""}',
            EXPECTED,
            'correct that line',
        ) from error


def _installed(package: str) -> str:
    """Where a package is; a path to nothing if it is not installed."""
    spec = importlib.util.find_spec(package)
    return spec.submodule_search_locations[0] if spec else package


def _explained(error: Exception, path: Path) -> InputError:
    """The message about an error that a config raised, with the line that did."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if frame.name == '<module>'), None)
    where = f'{last.filename}, line {last.lineno}' if last else str(path)
    text = f', in: {last.line}' if last else ''
    return InputError(
        f'{where}: the config cannot be loaded.',
        f'{type(error).__name__}: {error}{text}',
        'Python that runs, and values that fit those of its bases',
        'correct that line; --debug shows the traceback' if last else 'correct that value',
    )
