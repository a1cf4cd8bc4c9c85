"""Loading config files, with clear messages about what is wrong in them."""

import ast
import traceback
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import read_file, read_json

SUFFIXES = ('.py', '.json', '.yaml', '.yml')
EXPECTED = 'a .py file, as those of configs/digits/'


def load_config_file(path: Path) -> Config:
    """Load a config file and what it inherits from.

    Raises:
        InputError: it, or one of its bases, is not there, is no config or raises an error.
    """
    check_config_file(path)
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is Python: it may raise anything
        raise _explained(error, path) from error


def check_config_file(path: Path, inheriting: Sequence[Path] = ()) -> None:
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
    if not path.is_file() and inheriting:
        raise _no_base(inheriting[-1], f'nothing at {path}')
    _check_content(path)
    for name in Config._get_base_files(str(path)):
        try:
            base, scope = Config._get_cfg_path(name, str(path))
        except Exception as error:  # of any kind where a package has no such file
            raise _no_base(path, f'{name!r}: {error}') from error
        if scope is None:
            check_config_file(Path(base).resolve(), (*inheriting, path))


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


def _no_base(path: Path, found: str) -> InputError:
    return InputError(f'{path}: a base is not there.', found, EXPECTED, 'correct its _base_')


def _explained(error: Exception, path: Path) -> InputError:
    """The message about an error that a config raised, with the line that did."""
    lines = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == '<module>'
    ]
    where, text = (
        (f'{lines[-1].filename}, line {lines[-1].lineno}', lines[-1].line)
        if lines
        else (
            str(path),
            '',
        )
    )
    return InputError(
        f'{where}: the config cannot be loaded.',
        f'{type(error).__name__}: {error}{f", in: {text}" if text else ""}',
        'Python that runs, and values that fit those of its bases',
        'correct that line; --debug shows the traceback' if text else 'correct that value',
    )
