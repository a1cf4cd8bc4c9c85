"""The images to predict on, and the ids under which their predictions are saved."""

import csv
import glob
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from mmdet_digits.coco.files import number_images
from mmdet_digits.errors import InputError
from mmdet_digits.files import IMAGE_SUFFIXES, is_image_name, natural_key, read_file

MAP_HEADER = ('image_id', 'file_name')


def find_images(arguments: Sequence[str | Path]) -> list[Path]:
    """Find the images that a command line names.

    Args:
        arguments: files, taken whatever their ending; folders, for the images in them and in their
            subfolders, hidden ones left out; and glob patterns, where ``**`` stands for folders of
            any depth.

    Returns:
        Each path once, in natural order (``2.png`` before ``10.png``). Two links to one file are
        two images. Whether a path can be read is not looked at.

    Raises:
        InputError: an argument names no image.
    """
    found = {}
    for argument in map(str, arguments):
        there = os.path.lexists(argument)
        paths = [Path(argument)] if there else _matches(argument)
        files = [file for path in paths for file in _files(path)]
        if not files:
            raise InputError(
                f'{argument}: no image there.',
                'a folder without images' if paths else 'nothing',
                f'a file, a folder with {", ".join(IMAGE_SUFFIXES)} files, or a pattern such as '
                "'photos/**/*.jpg'",
                'correct the path',
            )
        for file in files:
            found.setdefault(file.absolute(), file)
    return sorted(found.values(), key=natural_key)


def names_below(paths: Sequence[Path]) -> tuple[Path, list[Path]]:
    """The folder in which all images lie, or in folders of it, and the path of each below it."""
    places = [path.absolute() for path in paths]
    folder = Path(os.path.commonpath([place.parent for place in places]))
    return folder, [place.relative_to(folder) for place in places]


def picture_names(paths: Sequence[Path]) -> list[Path]:
    """Name a picture of each image as the image is, by its path below the folder of all images.

    Returns:
        ``a/5.png`` for ``photos/a/5.jpg``. If two images differ in their endings only, all keep
        theirs: ``a/5.jpg.png``.
    """
    _, names = names_below(paths)
    short = [name.with_suffix('.png') for name in names]
    if len(set(short)) == len(short):
        return short
    return [name.with_name(f'{name.name}.png') for name in names]


def listed_name(path: Path) -> str:
    """How a path is written in a list of images: as UTF-8, whatever bytes it has."""
    return str(path).encode('utf-8', 'backslashreplace').decode()


def check_apart(paths: Iterable[Path], files: Iterable[Path], folder: Path | None = None) -> None:
    """Stop before an image is replaced by an output.

    Args:
        paths: the images.
        files: the outputs.
        folder: where further outputs go, if any do.

    Raises:
        InputError: an image, or the file that it is a link to, is one of the outputs or lies in the
            folder.
    """
    outputs, folder = {_real(file) for file in files}, folder and _real(folder)
    parent = cache(_real)
    for path in paths:
        own = parent(path.parent) / path.name
        for place in (own, _real(path)) if path.is_symlink() else (own,):
            if place in outputs or folder in place.parents:
                raise InputError(
                    f'{path}: this image lies where an output goes; nothing was written.',
                    str(place),
                    'images outside the folder of the outputs',
                    'name another folder by --out, or leave out earlier pictures',
                )


def read_ids(source: Path | str) -> list[int]:
    """Read the ids of a set of images.

    Args:
        source: a folder of images, or the ``numbers.csv`` that ``tools/predict.py`` wrote, or the
            ``images.csv`` that it wrote before.

    Raises:
        InputError: it is neither, or the images of the folder are not named by numbers, so that
            nothing says which image had which id.
    """
    if Path(source).is_dir():
        paths = find_images([source])
        ids = number_images(paths)
        if any(
            path.stem.lstrip('0') != str(i).lstrip('0') for i, path in zip(ids, paths, strict=True)
        ):
            raise InputError(
                f'{source}: the file names do not say the image ids.',
                ', '.join(path.name for path in paths[:3]),
                'names such as 17.png, each number once',
                'give the numbers.csv that predict.py wrote beside pred.json',
            )
        return ids
    expected = f'a folder of images, or a file that begins with {",".join(MAP_HEADER)}'
    text = read_file(source, expected).decode('utf-8-sig', errors='replace')
    rows = list(csv.reader(io.StringIO(text)))
    problem = _problem(rows)
    if problem:
        raise InputError(
            f'{source}: not a list of images.',
            problem,
            expected,
            'give the numbers.csv of predict.py',
        )
    return [int(row[0]) for row in rows[1:]]


def _problem(rows: list[list[str]]) -> str | None:
    """Say what is wrong with the rows of a list of images, or None."""
    if not rows or tuple(rows[0][: len(MAP_HEADER)]) != MAP_HEADER:
        return f'it begins with {",".join(rows[0])!r}' if rows else 'nothing in it'
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]) or not re.fullmatch('[0-9]{1,18}', row[0]):
            return f'line {number}: {",".join(row)!r}'
    ids = Counter(int(row[0]) for row in rows[1:])
    twice = [image_id for image_id, times in ids.items() if times > 1]
    if twice:
        return f'id {twice[0]} in {ids[twice[0]]} lines'
    return None if ids else 'no image in it'


def _matches(pattern: str) -> list[Path]:
    return [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207


def _files(path: Path) -> Iterable[Path]:
    return _walk(path) if os.path.isdir(path) else [path]  # noqa: PTH112  (it never raises)


def _walk(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The images below a folder; a folder that may not be read stands for itself."""
    real = _real(folder)
    if real in above:  # a link back to a folder that holds it
        return
    try:
        entries = list(folder.iterdir())
    except OSError:
        yield folder
        return
    for path in entries:
        if path.name.startswith('.'):
            continue
        if os.path.isdir(path):  # noqa: PTH112
            yield from _walk(path, above | {real})
        elif is_image_name(path.name):
            yield path


def _real(path: Path) -> Path:
    """Where a path leads in the end; unlike ``Path.resolve``, also for a link to itself."""
    return Path(os.path.realpath(path))
