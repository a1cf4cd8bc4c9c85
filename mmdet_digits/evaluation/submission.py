"""HW2's two files, ``pred.json`` and ``pred.csv``, and the zip that holds just these."""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import NO_NUMBER, Numbers, read_digits
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.predictions import Predictions, parse_records
from mmdet_digits.files import csv_text, write_file
from mmdet_digits.repository import tool_command

CSV_HEADER = ('image_id', 'pred_label')
NUMBERS_HEADER = ('image_id', 'file_name', 'number', 'confidence', 'digit_scores', 'boxes')
NAMES = ('pred.json', 'pred.csv')


def numbers_csv(image_ids: Sequence[int], numbers: Sequence[str] | np.ndarray) -> str:
    """Write ``pred.csv``: one row per image, by id.

    Args:
        image_ids: Ids of the images (M,).
        numbers: Their numbers (M,), ``'-1'`` where there is none.
    """
    rows = sorted(zip(map(int, image_ids), map(str, numbers), strict=True))
    return '\n'.join([','.join(CSV_HEADER), *(f'{row[0]},{row[1]}' for row in rows)]) + '\n'


def numbers_table(
    image_ids: Sequence[int],
    file_names: Sequence[str],
    detections: Detections,
    numbers: Numbers,
) -> str:
    """Write ``numbers.csv``: one row per image, in the order given.

    ``confidence`` is that of the whole number; ``digit_scores`` and ``boxes`` (xyxy, pixels) are
    those of its digits, in reading order, as JSON. An image without a number has ``-1`` and empty
    lists.

    Args:
        image_ids: ids of the images (M,).
        file_names: their names (M,).
        detections: of these images.
        numbers: what was assembled from them.
    """
    rows = [
        number_row(
            image_id,
            name,
            numbers.strings[image],
            numbers.confidences[image],
            detections.scores[read],
            detections.bboxes[read],
        )
        for image, (image_id, name, read) in enumerate(
            zip(image_ids, file_names, read_digits(detections, numbers), strict=True)
        )
    ]
    return csv_text(NUMBERS_HEADER, rows)


def number_row(
    image_id: int,
    file_name: str,
    number: str,
    confidence: float,
    scores: Sequence[float] | np.ndarray,
    bboxes: Sequence[Sequence[float]] | np.ndarray,
) -> tuple[int, str, str, str, str, str]:
    """A row of ``numbers.csv``.

    Args:
        image_id: id of the image.
        file_name: its name.
        number: ``'-1'`` where there is none.
        confidence: of the whole number.
        scores: of its digits (N,), in reading order.
        bboxes: their boxes (N, 4), xyxy in pixels.
    """
    return (
        int(image_id),
        str(file_name),
        str(number),
        f'{confidence:.4f}',
        json.dumps(np.asarray(scores, dtype=float).round(4).tolist()),
        json.dumps(np.asarray(bboxes, dtype=float).round(2).tolist()),
    )


def predictions_json(predictions: Predictions) -> str:
    """Write ``pred.json``: one detection per line."""
    records = ',\n'.join(json.dumps(record) for record in predictions.records())
    return f'[\n{records}\n]\n'


def write_submission(
    path: Path | str,
    predictions: Predictions,
    image_ids: Sequence[int],
    numbers: Sequence[str] | np.ndarray,
) -> None:
    """Write a zip with just the two files, after checking it as it will be written.

    Args:
        path: The zip.
        predictions: The detections of all images.
        image_ids: Ids of all images of the split (M,).
        numbers: Their numbers (M,).

    Raises:
        InputError: the submission would be refused; nothing is written.
    """
    contents = (predictions_json(predictions), numbers_csv(image_ids, numbers))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, content in zip(NAMES, contents, strict=True):
            # ZipInfo has a fixed date: the same predictions give the same bytes
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    check_submission(buffer.getvalue(), image_ids, str(path))
    write_file(path, buffer.getvalue())


def check_submission(data: bytes, image_ids: Sequence[int], source: str) -> None:
    """Check a submission as a grader would.

    Args:
        data: The zip.
        image_ids: Ids of all images of the split.
        source: Its path, for messages.

    Raises:
        InputError: it holds other files than the two, ``pred.json`` has a value out of its range,
            ``pred.csv`` lacks an image, has one twice or has a label that is not made from the
            digits that ``pred.json`` has for that image.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sorted(archive.namelist()) != sorted(NAMES):
            raise _refused(source, f'the files {archive.namelist()}', f'just {", ".join(NAMES)}')
        pred_json, pred_csv = (archive.read(name).decode() for name in NAMES)
    predictions = parse_records(json.loads(pred_json), f'{source}: pred.json')
    predictions.to_detections(image_ids, 'the images of the split')
    rows = list(csv.reader(io.StringIO(pred_csv)))
    if not rows or tuple(rows[0]) != CSV_HEADER or any(len(row) != 2 for row in rows):
        raise _refused(source, f'pred.csv begins with {rows[:1]}', ','.join(CSV_HEADER))
    _check_ids([row[0] for row in rows[1:]], image_ids, source)
    digits = {}
    for image_id, label in zip(predictions.image_ids, predictions.labels, strict=True):
        digits.setdefault(int(image_id), Counter())[str(label)] += 1
    for image_id, label in rows[1:]:
        _check_label(image_id, label, digits.get(int(image_id), Counter()), source)


def _check_ids(found: list[str], image_ids: Sequence[int], source: str) -> None:
    count = Counter(found)
    expected = {str(image_id) for image_id in image_ids}
    problems = {
        'missing': [i for i in expected if i not in count],
        'unknown': [i for i in count if i not in expected],
        'repeated': [i for i, times in count.items() if times > 1],
    }
    wrong = [f'{len(ids)} {what} (e.g. {min(ids)})' for what, ids in problems.items() if ids]
    if wrong:
        raise _refused(
            source,
            f'image ids of pred.csv: {", ".join(wrong)}',
            f'each of {len(expected)} ids once',
        )


def _check_label(image_id: str, label: str, digits: Counter, source: str) -> None:
    if label == NO_NUMBER:
        return
    if not re.fullmatch('[0-9]+', label):
        raise _refused(source, f'label {label!r} of image {image_id}', f'digits, or {NO_NUMBER}')
    if Counter(label) - digits:
        raise _refused(
            source,
            f'label {label} of image {image_id}, for which pred.json has '
            f'{"".join(sorted(digits.elements())) or "no digit"}',
            f'a number of the digits in pred.json, {NO_NUMBER} if there are none',
        )


def _refused(source: str, found: str, expected: str) -> InputError:
    return InputError(
        f'{source}: not a valid submission.',
        found,
        expected,
        f'make it again: {tool_command("assemble_numbers")}',
    )
