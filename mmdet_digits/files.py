"""Reading files with clear messages, and writing them whole or not at all."""

import contextlib
import csv
import errno
import glob
import gzip
import io
import json
import os
import re
import shlex
import socket
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdet_digits.durable_files import remove_parts, write_durably
from mmdet_digits.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

LOCK = '.lock'
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
MOST_UNPACKED = 100  # times; gzip makes COCO files 10 to 30 times smaller
LEAST_LIMIT = 2**26  # bytes
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


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


def is_image_name(name: str) -> bool:
    """Whether a file name has the ending of an image, in letters of any case."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122  (of many names)


def image_files(folder: Path) -> list[Path]:
    """The images of a folder, by name, numbers in names in their order."""
    return sorted(filter(lambda path: is_image_name(path.name), folder.iterdir()), key=natural_key)


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
    paths: Iterable[Path | str],
    overwrite: bool,
    folders: Iterable[Path | str] = (),
    inputs: Iterable[Path | str | None] = (),
) -> None:
    """Stop before anything is computed if an output could not be written at the end.

    What killed runs left of these files is removed.

    Args:
        paths: the files to write.
        overwrite: whether they may be replaced.
        folders: outputs that are folders.
        inputs: files and folders that are read, which no output may replace; None is skipped.

    Raises:
        InputError: one exists and may not be replaced, is an input or another output too, or stands
            where nothing can be written.
    """
    paths, folders = [*map(Path, paths)], [*map(Path, folders)]
    _check_apart(paths, folders, [Path(source) for source in inputs if source])
    found = {path: what for path in (*paths, *folders) if (what := _what_is(path))}
    for path in paths:
        if found.get(path, 'a file').startswith(('a folder', 'no file')):
            raise InputError(
                f'{path}: cannot be written.', found[path], 'the name of a file', 'name a file'
            )
    if found and not overwrite:
        raise InputError(
            f'{", ".join(map(str, found))}: already there; nothing was written.',
            ', '.join(found.values()),
            'a name that is free',
            'name another place, or add --overwrite',
        )
    for folder in {path.parent for path in paths} | set(folders):
        check_writable(folder)
    for path in paths:
        remove_parts(path.parent, f'*.{glob.escape(path.name)}')
    for folder in folders:
        remove_parts(folder, '*')


def _check_apart(paths: list[Path], folders: list[Path], inputs: list[Path]) -> None:
    """Raise InputError if an output is another one or an input, or a folder lies in an input."""
    places = [(path, path.resolve()) for path in (*paths, *folders)]
    for number, (path, place) in enumerate(places):
        if place in [other for _, other in places[:number]]:
            raise InputError(
                f'{path}: named for two outputs.', 'one place', 'two', 'give one another name'
            )
    sources = {source.resolve(): source for source in inputs}
    for path, place in places:
        for within in (place, *place.parents) if path in folders else (place,):
            if within in sources:
                raise InputError(
                    f'{path}: an input would be replaced; nothing was written.',
                    f'{sources[within]}, which is read',
                    'outputs apart from what is read',
                    'name another place for the output',
                )


def _what_is(path: Path) -> str:
    """What stands at a path, in words; '' for nothing."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 'a link to nothing' if path.is_symlink() else ''
    except OSError as error:
        raise InputError(
            f'{path}: the system refuses it.', error.strerror, 'the name of a file', 'name another'
        ) from error
    if stat.S_ISDIR(found.st_mode):
        return 'a folder'
    if stat.S_ISREG(found.st_mode) and str(path.parent.resolve()) != '/dev':
        return f'a file of {found.st_size:,} bytes'
    return 'no file but a device, a pipe or a socket'


def check_writable(folder: Path | str) -> None:
    """Raise InputError if a folder, which need not exist yet, cannot be written to.

    It is tried: rights say nothing of a disk that is mounted to be read only.
    """
    path = Path(folder)
    nearest = next(path for path in (path, *path.absolute().parents) if path.exists())
    if not nearest.is_dir():
        found, fix = f'{nearest} is a file', 'name another folder, or move that file away'
    else:
        try:
            with tempfile.TemporaryFile(dir=nearest):
                return
        except OSError as error:
            found = f'{nearest} may not be written to: {error.strerror}'
            fix = 'name another folder, or allow it'
    raise InputError(f'{folder}: nothing can be written there.', found, 'a folder', fix)


@contextlib.contextmanager
def held_folder(folder: Path | str, name: str = LOCK) -> Iterator[None]:
    """Hold a folder while writing to it, so that no other run does.

    However this process ends, the folder is free again. One that was made for nothing is removed.

    Args:
        folder: made if it is not there.
        name: of the lock; runs with other names may write there too.

    Raises:
        InputError: another process holds it.
    """
    from filelock import FileLock, Timeout  # 60 ms, for those who write folders

    check_writable(folder)
    path = Path(folder, name)
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f'{folder}: another run is writing there.',
            path.read_text(encoding='utf-8') or 'a run that has just begun',
            'a folder for each run',
            'name another folder, or wait until that run has ended',
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        print(f'{folder}: its disk has no locks: start no second run there.', file=sys.stderr)
        yield
        return
    try:
        path.write_text(
            f'process {os.getpid()} on {socket.gethostname()}, since '
            f'{time.strftime("%Y-%m-%d %H:%M:%S")}: {shlex.join(sys.argv)}',
            encoding='utf-8',
        )
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()
        if made:
            with contextlib.suppress(OSError):  # something was written there
                path.parent.rmdir()


def write_file(path: Path | str, content: str | bytes) -> None:
    """Write a file, text as UTF-8, so that it is there whole or not at all."""
    write_durably(path, content.encode() if isinstance(content, str) else content)


def write_image(path: Path | str, image: 'Image') -> None:
    """Write a Pillow image as a PNG, whatever the ending, as :func:`write_file` does."""
    content = io.BytesIO()
    image.save(content, 'PNG')
    write_file(path, content.getvalue())


def write_figure(path: Path | str, figure: 'Figure', dpi: int, form: str = 'png') -> None:
    """Write a figure of matplotlib as :func:`write_file` does.

    Args:
        path: where.
        figure: what.
        dpi: pixels per inch.
        form: the format, as matplotlib calls it.
    """
    content = io.BytesIO()
    figure.savefig(content, format=form, dpi=dpi)
    write_file(path, content.getvalue())


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
