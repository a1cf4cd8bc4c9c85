"""numbers.jsonl: a line per image as soon as it is read, so that a killed job goes on there."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet_digits.assembly.number_assembly import NO_NUMBER
from mmdet_digits.durable_files import write_durably
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.predictions import KEYS
from mmdet_digits.evaluation.submission import NUMBERS_HEADER, number_row, numbers_csv
from mmdet_digits.files import csv_text, read_json, write_file
from mmdet_digits.reader.number_reading import NumberReading

SETTINGS, LOG, TABLE = 'reading.json', 'numbers.jsonl', 'numbers.csv'
SUBMITTED = ('pred.json', 'pred.csv')
OUTPUTS = (SETTINGS, LOG, TABLE, *SUBMITTED)


class ReadingLog:
    """The records of images, one line each, in the order in which they were read.

    A record has ``file_name`` and what :meth:`NumberReading.to_dict` gives; with several numbers in
    an image a list of that under ``numbers``; for a file that could not be read ``error``. A later
    record of an image replaces an earlier one; a line that a kill has cut off is removed.

    Args:
        path: the file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open('a+b')
        self._places: dict[str, int] = {}
        self.read: set[str] = set()
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b'\n'):
                break
            self._note(json.loads(line), end)
            end += len(line)
        self._file.truncate(end)

    def add(self, records: Iterable[dict[str, Any]]) -> None:
        """Write the records of some images."""
        place = self._file.seek(0, 2)
        for record in records:
            line = json.dumps(record, ensure_ascii=False).encode() + b'\n'
            self._file.write(line)
            self._note(record, place)
            place += len(line)
        self._file.flush()

    def records(self, names: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The records of images, in the order of their names as given."""
        for name in names:
            self._file.seek(self._places[name])
            yield json.loads(self._file.readline())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _note(self, record: Mapping[str, Any], place: int) -> None:
        self._places[record['file_name']] = place
        if 'error' not in record:
            self.read.add(record['file_name'])


def record_of(name: str, reading: NumberReading | list[NumberReading] | str) -> dict[str, Any]:
    """The record of an image.

    Args:
        name: its file name.
        reading: what was read there, or why nothing could be.
    """
    if isinstance(reading, str):
        return dict(file_name=name, error=reading)
    if isinstance(reading, list):
        return dict(file_name=name, numbers=[_without_source(one) for one in reading])
    return dict(file_name=name, **_without_source(reading))


def check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Go on in a folder only with the settings that it was begun with.

    Args:
        folder: the outputs; ``reading.json`` in it has the settings.
        settings: those of now, plain values.

    Raises:
        InputError: they differ.
    """
    path = folder / SETTINGS
    if not path.is_file():
        write_file(path, json.dumps(settings, indent=2) + '\n')
        return
    earlier = read_json(path, 'the settings of an earlier reading')
    changed = [key for key in settings if earlier.get(key) != settings[key]]
    if changed:
        raise InputError(
            f'{folder}: holds what was read with other settings.',
            ', '.join(f'{key}: {earlier.get(key)}' for key in changed),
            ', '.join(f'{key}: {settings[key]}' for key in changed),
            'name another folder by --out, or add --overwrite to read all images anew',
        )


def write_tables(
    folder: Path, log: ReadingLog, names: Sequence[str], image_ids: Sequence[int], submitted: bool
) -> int:
    """Write ``numbers.csv`` and, of one number per image, HW2's ``pred.json`` and ``pred.csv``.

    Args:
        folder: where.
        log: has a record of each image.
        names: of the images, in the order of the rows.
        image_ids: their ids.
        submitted: whether to write HW2's two files.

    Returns:
        How many numbers there are.
    """
    count, strings = 0, []

    def table() -> Iterator[bytes]:
        nonlocal count
        yield csv_text(NUMBERS_HEADER, []).encode()
        for image_id, record in zip(image_ids, log.records(names), strict=True):
            for reading in record.get('numbers', [record]):
                row = _row(image_id, record['file_name'], reading)
                strings.append(row[2])
                count += row[2] != NO_NUMBER
                yield csv_text(row, []).encode()

    write_durably(folder / TABLE, table())
    if submitted:
        detections = (
            detection
            for image_id, record in zip(image_ids, log.records(names), strict=True)
            for detection in _detections(image_id, record)
        )
        write_durably(folder / SUBMITTED[0], _json_lines(detections))
        write_file(folder / SUBMITTED[1], numbers_csv(image_ids, strings))
    return count


def _detections(image_id: int, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All digits of an image as ``pred.json`` lists them."""
    for digit in (*record.get('digits', ()), *record.get('dropped', ())):
        x1, y1, x2, y2 = digit['box']
        bbox = [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)]
        values = int(image_id), bbox, digit['score'], digit['value'] + 1
        yield dict(zip(KEYS, values, strict=True))


def _json_lines(values: Iterable[Any]) -> Iterator[bytes]:
    """A JSON list, one of its values per line."""
    before = b'[\n'
    for value in values:
        yield before + json.dumps(value).encode()
        before = b',\n'
    yield (b'' if before == b',\n' else before) + b'\n]\n'


def _row(image_id: int, name: str, reading: Mapping[str, Any]) -> tuple:
    digits = reading.get('digits', ())
    return number_row(
        image_id,
        name,
        reading.get('number') or NO_NUMBER,
        reading.get('confidence', 0.0),
        [digit['score'] for digit in digits],
        [digit['box'] for digit in digits],
    )


def _without_source(reading: NumberReading) -> dict[str, Any]:
    values = reading.to_dict()
    del values['source']
    return values
