"""Numbers of images without boxes: a CSV file with a name or an id, and a number, per image."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from mmdet_digits.assembly.number_assembly import NO_NUMBER
from mmdet_digits.converters.records import shown
from mmdet_digits.errors import InputError
from mmdet_digits.files import is_image_name, read_file

FORMAT = 'a CSV file with the columns number and file_name (or image_id, what the file is called)'
MOST_SHOWN = 10


def numbers_of(images: Sequence[Path], table: Path | str) -> tuple[list[str | None], int]:
    """Find the number of each image in a table, by the name of its file.

    Numbers are text: ``007`` stays as it is. An empty one and ``-1`` mean that none is known.

    Args:
        images: the images; folders do not matter.
        table: a CSV file. Its columns are known by their names, and others are left alone, as in
            the ``numbers.csv`` of ``tools/predict.py``. ``file_name`` may hold a path. Without that
            column ``image_id`` is the name without ending; leading zeros of numbers do not count.

    Returns:
        The number of each image (M,), None where the table has none; and how many rows name none of
        the images.

    Raises:
        InputError: it is no such table, a number is none, an image stands in it twice, two images
            have one name, or it has none of the images.
    """
    key_of, rows = _read(table)
    wrong = [f'line {line}: {shown(number)}' for line, _, number in rows if not _is_number(number)]
    counts = Counter(key for _, key, _ in rows)
    twice = [f'line {line}: {shown(key)} again' for line, key, _ in rows if counts[key] > 1]
    if wrong or twice:
        raise InputError(
            f'{table}: {"numbers that are none" if wrong else "images that stand in it twice"}.',
            '\n            '.join((wrong or twice)[:MOST_SHOWN]),
            f'digits, {NO_NUMBER} or nothing; each image once',
            'correct these lines; a spreadsheet has to keep numbers as text',
        )
    numbers = {key: number for _, key, number in rows}
    keys = [key_of(image.name) for image in images]
    _check_keys(keys, numbers, images, table)
    known = {key: number for key, number in numbers.items() if number not in ('', NO_NUMBER)}
    return [known.get(key) for key in keys], len(numbers.keys() - set(keys))


def _read(table: Path | str) -> tuple[Callable[[str], str], list[tuple[int, str, str]]]:
    """How images are told apart, and the line, the image and the number of each row."""
    text = read_file(table, FORMAT).decode('utf-8-sig', errors='replace')
    reader = csv.DictReader(io.StringIO(text, newline=''))
    rows = []
    try:
        header = reader.fieldnames or []
        column = next((name for name in KEYS if name in header), None)
        if column is None or 'number' not in header:
            raise _no_table(table, shown(','.join(header)) if header else 'an empty file')
        for row in reader:
            if None in row or None in row.values():
                raise _no_table(table, f'line {reader.line_num}, with more or fewer columns')
            key = KEYS[column](row[column].strip())
            rows.append((reader.line_num, key, row['number'].strip()))
    except csv.Error as error:
        raise _no_table(table, f'after line {reader.line_num}: {error}') from error
    return KEYS[column], rows


def _no_table(table: Path | str, found: str) -> InputError:
    return InputError(
        f'{table}: no table of numbers.', found, FORMAT, 'name its columns in the first line'
    )


def _check_keys(
    keys: Sequence[str], numbers: dict[str, str], images: Sequence[Path], table: Path | str
) -> None:
    """Raise InputError if a row of the table means two of the images, or all rows none of them."""
    counts = Counter(key for key in keys if key in numbers)
    twice = [str(image) for image, key in zip(images, keys, strict=True) if counts[key] > 1]
    if twice:
        raise InputError(
            f'{table}: a row may mean several images.',
            ', '.join(map(shown, twice[:MOST_SHOWN])),
            'images of different names',
            'give the images of one folder at a time, or rename them',
        )
    if not counts:
        rows = ', '.join(map(shown, [*numbers][:3])) or 'no rows'
        raise InputError(
            f'{table}: has none of the {len(images):,} images.',
            f'{rows}; images: {", ".join(shown(image.name) for image in images[:3])}',
            'rows with the names of the images',
            'give the table of these images',
        )


def _is_number(text: str) -> bool:
    return text in ('', NO_NUMBER) or re.fullmatch('[0-9]+', text) is not None


def _name(text: str) -> str:
    """The name of a file, without its folders."""
    return re.split(r'[\\/]', text)[-1]


def _stem(text: str) -> str:
    """The name of a file without the ending of an image; a number without leading zeros."""
    name = _name(text)
    stem = Path(name).stem if is_image_name(name) else name
    return stem.lstrip('0') or '0' if re.fullmatch('[0-9]+', stem) else stem


KEYS = {'file_name': _name, 'image_id': _stem}
"""How a column says which image is meant, and how the images' names are compared with it."""
