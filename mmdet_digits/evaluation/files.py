"""Reading JSON with clear messages, and writing files whole or not at all."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmdet_digits.utils.errors import InputError


def read_file(path: Path | str, what: str) -> bytes:
    """Read a file.

    Args:
        path: where it is.
        what: what it should be, for the message.

    Raises:
        InputError: it is not there.
    """
    path = Path(path)
    if not path.is_file():
        kind = 'a folder' if path.is_dir() else 'nothing'
        raise InputError(
            f'{path}: no such file.\n  found:    {kind}\n  expected: {what}\n'
            '  fix: correct the path'
        )
    return path.read_bytes()


def read_json(path: Path | str, what: str) -> Any:
    """Read a JSON file, gzipped or not.

    Args:
        path: where it is.
        what: what it should be, for the message.

    Raises:
        InputError: it is not there or is not JSON.
    """
    data = read_file(path, what)
    try:
        if data.startswith(b'\x1f\x8b'):
            data = gzip.decompress(data)
        return json.loads(data)
    except json.JSONDecodeError as error:
        found = f'{error.msg} at line {error.lineno}, column {error.colno}'
        if not data[error.pos :].strip():
            found += f', where the file ends ({len(data):,} bytes): it was cut off'
        cause = error
    except (UnicodeDecodeError, EOFError, OSError) as error:
        found, cause = f'{error} ({len(data):,} bytes)', error
    raise InputError(
        f'{path}: not valid JSON.\n  found:    {found}\n  expected: {what}\n'
        '  fix: copy or write the file again'
    ) from cause


def refuse_existing(paths: Iterable[Path | str], overwrite: bool) -> None:
    """Stop before anything is computed if an output is already there.

    Args:
        paths: the outputs.
        overwrite: whether they may be replaced.

    Raises:
        InputError: one exists and may not be replaced.
    """
    there = [str(path) for path in map(Path, paths) if path.exists()]
    if there and not overwrite:
        raise InputError(
            f'{", ".join(there)}: already there; nothing was written.\n'
            '  fix: name another place, or add --overwrite'
        )


def write_file(path: Path | str, content: str | bytes) -> None:
    """Write a file under another name first, so that it is never there half-written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + '.part')
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.replace(path)
