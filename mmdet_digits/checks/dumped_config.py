"""The settings of a config as a run leaves it, read without running the file."""

import ast
from pathlib import Path
from typing import Any

from mmdet_digits.errors import InputError


def read_settings(path: Path | str) -> dict[str, Any]:
    """Read the values of a config file that MMEngine has dumped.

    Args:
        path: ``vis_data/config.py`` of a run.

    Raises:
        InputError: the file is not Python.
    """
    return parse_settings(Path(path).read_text(encoding='utf-8'), path)


def parse_settings(text: str, source: Path | str) -> dict[str, Any]:
    """Read the values of a config that MMEngine has dumped.

    It is a list of assignments of literals and ``dict(...)``. A value that is anything else is left
    out: nothing is executed, and neither MMEngine nor torch is needed.

    Args:
        text: the config.
        source: where it is from, for the message.

    Raises:
        InputError: it is not Python.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f'{source}: not a dumped config.',
            str(error),
            'Python, as tools/train.py writes it',
            'copy the file again',
        ) from error
    settings = {}
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                settings[statement.targets[0].id] = _value(statement.value)
            except ValueError:
                continue
    return settings


def get_setting(settings: dict[str, Any], path: str, default: Any = None) -> Any:
    """Look a setting up by its path, e.g. ``'train_dataloader.batch_size'``."""
    value = settings
    for key in path.split('.'):
        if not isinstance(value, dict) or key not in value:
            return default
        value = value[key]
    return value


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords):
            return {keyword.arg: _value(keyword.value) for keyword in keywords}
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
    return ast.literal_eval(node)
