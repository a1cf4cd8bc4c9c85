"""Reading files with clear messages, and writing them whole or not at all."""

import csv
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmdet_digits.utils.durable_files import write_durably
from mmdet_digits.utils.errors import InputError

MOST_UNPACKED = 100  # times; gzip makes COCO files 10 to 30 times smaller
LEAST_LIMIT = 2**26  # bytes


def read_file(path: Path | str, what: str) -> bytes:
    """Read a file.

    Args:
        path: where it is.
        what: what it should be, for the message.

    Raises:
        InputError: it is not there, or may not be read.
    """
    path = Path(path)
    if not path.is_file():
        kind = 'a folder' if path.is_dir() else 'nothing'
        raise InputError(f'{path}: no such file.', kind, what, 'correct the path')
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f'{path}: cannot be read.', error.strerror, what, 'allow it: chmod u+r, or copy it'
        ) from error


def read_json(path: Path | str, what: str) -> Any:
    """Read a JSON file, gzipped or not.

    Args:
        path: where it is.
        what: what it should be, for the message.

    Raises:
        InputError: it is not there, is not JSON, or an object in it has a key twice.
    """
    data = read_file(path, what)
    try:
        if data.startswith(b'\x1f\x8b'):
            data = _unpack(data)
        return json.loads(data, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        found = f'{error.msg} at line {error.lineno}, column {error.colno}'
        if not data[error.pos :].strip():
            found += f', where the file ends ({len(data):,} bytes): it was cut off'
        cause = error
    except RecursionError as error:
        found, cause = 'lists within lists, too deep to read', error
    except (ValueError, EOFError, OSError, zlib.error) as error:
        found, cause = f'{error} ({len(data):,} bytes)', error
    raise InputError(
        f'{path}: not valid JSON.', found, what, 'copy or write the file again'
    ) from cause


def _unpack(data: bytes) -> bytes:
    """Unpack gzipped data, and stop where it becomes larger than text does."""
    limit = max(LEAST_LIMIT, MOST_UNPACKED * len(data))
    unpacked = gzip.GzipFile(fileobj=io.BytesIO(data)).read(limit + 1)
    if len(unpacked) > limit:
        raise ValueError(f'unpacks to over {MOST_UNPACKED} times its size')
    return unpacked


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; JSON itself would take the last of two equal keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'an object with the key "{twice}" twice')
    return found


def natural_key(name: object) -> tuple:
    """Sort key of names in which numbers count by their value: ``2.png`` before ``10.png``.

    Only the digits 0 to 9 are numbers, however many; equal numbers go by how they are written.
    """
    parts = re.split('([0-9]+)', str(name))
    parts[1::2] = [(len(part.lstrip('0')), part.lstrip('0')) for part in parts[1::2]]
    return parts, str(name)


def check_folder(folder: Path | str, what: str) -> None:
    """Raise InputError unless a folder is there.

    Args:
        folder: where it should be.
        what: what it should be, for the message.
    """
    if not Path(folder).is_dir():
        found = 'a file' if Path(folder).exists() else 'nothing'
        raise InputError(f'{folder} is no folder.', found, what, 'correct the path')


def check_outputs(
    paths: Iterable[Path | str], overwrite: bool, folders: Iterable[Path | str] = ()
) -> None:
    """Stop before anything is computed if an output could not be written at the end.

    Args:
        paths: the files to write.
        overwrite: whether they may be replaced.
        folders: outputs that are folders.

    Raises:
        InputError: one exists and may not be replaced, or stands where nothing can be written.
    """
    paths, folders = [*map(Path, paths)], [*map(Path, folders)]
    there = [path for path in (*paths, *folders) if path.exists() or path.is_symlink()]
    if there and not overwrite:
        raise InputError(
            f'{", ".join(map(str, there))}: already there; nothing was written.',
            ', '.join('a folder' if path.is_dir() else _size(path) for path in there),
            'a name that is free',
            'name another place, or add --overwrite',
        )
    for path in paths:
        if path.is_dir():
            raise InputError(
                f'{path}: cannot be written.', 'a folder', 'the name of a file', 'name a file in it'
            )
    for path in {path.parent for path in paths} | set(folders):
        check_writable(path)


def _size(path: Path) -> str:
    return f'a file of {path.stat().st_size:,} bytes' if path.exists() else 'a link to nothing'


def check_writable(folder: Path | str) -> None:
    """Raise InputError if a folder, which need not exist yet, cannot be written to."""
    path = Path(folder)
    nearest = next(path for path in (path, *path.absolute().parents) if path.exists())
    if not nearest.is_dir():
        found, fix = f'{nearest} is a file', 'name another folder, or move that file away'
    elif not os.access(nearest, os.W_OK | os.X_OK):
        found, fix = f'{nearest} may not be written to', 'name another folder, or allow it'
    else:
        return
    raise InputError(f'{folder}: nothing can be written there.', found, 'a folder', fix)


def write_file(path: Path | str, content: str | bytes) -> None:
    """Write a file, text as UTF-8, so that it is there whole or not at all."""
    write_durably(path, content.encode() if isinstance(content, str) else content)


FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r')


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table as CSV, in which no text is a formula to a spreadsheet.

    A text that begins with ``= + - @``, a tab or a carriage return gets an apostrophe in front of
    it, as OWASP advises against CSV injection; ``'-1'``, which is a number, stays.

    Args:
        header: the names of the columns.
        rows: their values, numbers or texts.
    """
    text = io.StringIO()
    plain = csv.writer(text, lineterminator='\n')
    quoting = csv.writer(text, lineterminator='\n', quoting=csv.QUOTE_ALL)
    for row in (header, *rows):  # of line ends, Python 3.11 quotes only its own
        writer = quoting if any('\r' in str(value) for value in row) else plain
        writer.writerow([_harmless(value) for value in row])
    return text.getvalue()


def _harmless(value: object) -> object:
    """A cell that a spreadsheet shows as it is."""
    if not isinstance(value, str) or not value.startswith(FORMULA_STARTS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
