"""The images to predict on, and the ids under which their predictions are saved."""

import csv
import glob
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import read_file

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
MAP_HEADER = ('image_id', 'file_name')


def find_images(arguments: Sequence[str | Path]) -> list[Path]:
    """Find the images that a command line names.

    Args:
        arguments: files, taken whatever their ending; folders, for the images directly in them;
            and glob patterns, where ``**`` stands for folders of any depth.

    Returns:
        Each file once, in natural order (``2.png`` before ``10.png``).

    Raises:
        InputError: an argument names no image.
    """
    found = {}
    for argument in map(str, arguments):
        paths = [Path(argument)] if Path(argument).exists() else _matches(argument)
        files = [file for path in paths for file in _files(path)]
        if not files:
            raise InputError(
                f'{argument}: no image there.\n'
                f'  found:    {"a folder without images" if paths else "nothing"}\n'
                f'  expected: a file, a folder with {", ".join(SUFFIXES)} files, or a pattern such '
                "as 'photos/**/*.jpg'\n  fix: correct the path"
            )
        found.update((file.resolve(), file) for file in files if file.resolve() not in found)
    return sorted(found.values(), key=_natural)


def number_images(paths: Sequence[Path]) -> list[int]:
    """Give each image an id.

    Args:
        paths: the images.

    Returns:
        The numbers that the file stems are, as in HW2's test set. If one stem is no number, or
        two are the same: 1 to M, in the order given.
    """
    stems = [path.stem for path in paths]
    if all(re.fullmatch('[0-9]{1,18}', stem) for stem in stems):
        ids = [int(stem) for stem in stems]
        if len(set(ids)) == len(ids):
            return ids
    return list(range(1, len(paths) + 1))


def images_csv(ids: Sequence[int], paths: Sequence[Path]) -> str:
    """Write which image is which: ``image_id,file_name`` rows, by id."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(MAP_HEADER)
    writer.writerows(sorted(zip(ids, map(str, paths), strict=True)))
    return text.getvalue()


def read_ids(source: Path | str) -> list[int]:
    """Read the ids of a set of images.

    Args:
        source: a folder of images, or the ``images.csv`` that ``tools/predict.py`` wrote.

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
                f'{source}: the file names do not say the image ids.\n'
                f'  found:    {", ".join(path.name for path in paths[:3])}\n'
                '  expected: names such as 17.png, each number once\n'
                '  fix: give the images.csv that predict.py wrote beside pred.json'
            )
        return ids
    expected = f'a folder of images, or a file that begins with {",".join(MAP_HEADER)}'
    text = read_file(source, expected).decode(errors='replace')
    rows = list(csv.reader(io.StringIO(text)))
    problem = _problem(rows)
    if problem:
        raise InputError(
            f'{source}: not a list of images.',
            problem,
            expected,
            'give the images.csv of predict.py',
        )
    return [int(row[0]) for row in rows[1:]]


def _problem(rows: list[list[str]]) -> str | None:
    """Say what is wrong with the rows of an ``images.csv``, or None."""
    if not rows or tuple(rows[0]) != MAP_HEADER:
        return f'it begins with {",".join(rows[0])!r}' if rows else 'nothing in it'
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(MAP_HEADER) or not re.fullmatch('[0-9]{1,18}', row[0]):
            return f'line {number}: {",".join(row)!r}'
    ids = Counter(int(row[0]) for row in rows[1:])
    twice = [image_id for image_id, times in ids.items() if times > 1]
    if twice:
        return f'id {twice[0]} in {ids[twice[0]]} lines'
    return None if ids else 'no image in it'


def _matches(pattern: str) -> list[Path]:
    return [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES]
    return [path]


def _natural(path: Path) -> list:
    """Order digits in a name by their value; the parent folders come first."""
    parts = re.split('([0-9]+)', str(path))
    return [int(part) if part.isdecimal() else part for part in parts]
