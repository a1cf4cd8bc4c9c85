"""Saved predictions: HW2's pred.json, or mmdet's .pkl."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.boxes import corners
from mmdet_digits.coco.structure import bbox_problem, is_id, is_number, shortened
from mmdet_digits.errors import InputError
from mmdet_digits.files import read_json
from mmdet_digits.repository import tool_command

FORMAT = (
    'a list of {"image_id": 1, "bbox": [x, y, w, h], "score": 0.9, "category_id": 1 to 10 for the '
    'digits 0 to 9}'
)
KEYS = ('image_id', 'bbox', 'score', 'category_id')


@dataclass(frozen=True, eq=False)
class Predictions:
    """The digits found in a set of images.

    Attributes:
        source: The file they came from, for messages.
        image_ids: Id of each detection's image (N,).
        bboxes: Boxes (N, 4), ``[x, y, w, h]`` in pixels.
        scores: Scores (N,), 0 to 1.
        labels: Digits (N,), 0 to 9.
    """

    source: str
    image_ids: np.ndarray
    bboxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def records(self) -> list[dict]:
        """The detections as ``pred.json`` lists them."""
        columns = (self.image_ids, self.bboxes, self.scores, self.labels + 1)
        return [
            dict(zip(KEYS, row, strict=True))
            for row in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def to_detections(self, image_ids: Sequence[int], images_source: str) -> Detections:
        """Sort the detections into images.

        Args:
            image_ids: Ids of all images, in the order of the numbers to be made.
            images_source: Where these ids are from, for the message.

        Raises:
            InputError: A detection is in none of the images.
        """
        image_ids = np.asarray(image_ids, dtype=np.int64)
        order = np.argsort(image_ids)
        at = np.searchsorted(image_ids[order], self.image_ids).clip(max=len(image_ids) - 1)
        unknown = np.unique(self.image_ids[image_ids[order[at]] != self.image_ids])
        if len(unknown):
            raise InputError(
                f'{self.source}: image ids that are not in {images_source}.',
                _listed(unknown),
                f'some of its {len(image_ids):,} ids, {image_ids.min()} to {image_ids.max()}',
                'give the predictions and the images of the same split',
            )
        bboxes = corners(self.bboxes)
        return Detections(order[at], bboxes, self.labels, self.scores, len(image_ids))


def read_predictions(path: Path | str, may_be_empty: bool = False) -> Predictions:
    """Read and check saved predictions.

    Args:
        path: ``pred.json`` (gzipped or not), or a ``.pkl`` that ``tools/test.py --out`` wrote.
        may_be_empty: whether it may have no detection.

    Raises:
        InputError: the file or one of its records is not what it should be, or it has none.
    """
    if Path(path).suffix in ('.pkl', '.pickle'):
        # torch takes seconds to import and a pred.json does without
        from mmdet_digits.evaluation.restricted_pickle import load_dump

        return parse_records(
            list(_dump_records(load_dump(path), str(path))), str(path), may_be_empty
        )
    return parse_records(read_json(path, FORMAT), str(path), may_be_empty)


def parse_records(records: Any, source: str, may_be_empty: bool = False) -> Predictions:
    """Check the records of a ``pred.json``.

    Args:
        records: what the file holds.
        source: its path, for the message.
        may_be_empty: whether there may be no record.

    Raises:
        InputError: it is not a list of records with values in their ranges, or it is empty.
    """
    if not isinstance(records, list):
        keys = f' with {", ".join(map(str, records))}' if isinstance(records, dict) else ''
        raise InputError(
            f'{source}: not a list of detections.',
            f'{type(records).__name__}{keys}',
            FORMAT,
            'give the predictions, not the annotations',
        )
    if not records and not may_be_empty:
        raise InputError(
            f'{source}: not one detection in it.',
            'an empty list',
            FORMAT,
            'train longer, or predict with a lower --score-thr',
        )
    _check_records(records, source)
    columns = [[record[key] for record in records] for key in KEYS]
    ids, bboxes, scores, categories = columns
    return Predictions(
        source,
        np.array(ids, dtype=np.int64),
        np.array(bboxes, dtype=float).reshape(-1, 4),
        np.array(scores, dtype=float),
        np.array(categories, dtype=np.int64) - 1,
    )


def _check_records(records: list, source: str) -> None:
    problems = [(n, problem) for n, record in enumerate(records) if (problem := _problem(record))]
    if problems:
        shown = (f'{what}, in record {n}: {shortened(records[n])}' for n, what in problems[:3])
        raise InputError(
            f'{source}: {len(problems):,} of {len(records):,} records are wrong.',
            '\n            '.join(shown),
            FORMAT,
            'correct what wrote the file',
        )


def _problem(record: Any) -> str | None:
    """Say what is wrong with a record, or None."""
    if not isinstance(record, dict):
        return f'a {type(record).__name__}'
    missing = [key for key in KEYS if key not in record]
    if missing:
        return f'no {", ".join(missing)}'
    image_id, bbox, score, category = (record[key] for key in KEYS)
    if not is_id(image_id):
        return f'image_id {image_id!r}, not a whole number'
    if problem := bbox_problem(bbox):
        return problem
    if not is_number(score) or not 0 <= score <= 1:
        return f'score {score}, not in 0 to 1'
    if type(category) is not int or not 1 <= category <= 10:
        return f'category_id {category!r}, not in 1 to 10'
    return None


def _listed(values: Iterable, limit: int = 5) -> str:
    values = list(values)
    more = f' and {len(values) - limit:,} more' if len(values) > limit else ''
    return ', '.join(map(str, values[:limit])) + more


def _dump_records(samples: Any, source: str) -> Iterable[dict]:
    """Turn mmdet's dump into records: label 0 to 9 becomes category 1 to 10, xyxy becomes xywh.

    Raises:
        InputError: it is not a list of samples with predicted boxes.
    """
    try:
        for sample in samples:
            found = sample['pred_instances']
            bboxes = found['bboxes'].double().numpy().reshape(-1, 4)
            bboxes[:, 2:] -= bboxes[:, :2]
            columns = (bboxes, found['scores'].double(), found['labels'] + 1)
            for row in zip(*(column.tolist() for column in columns), strict=True):
                yield dict(zip(KEYS, (sample['img_id'], *row), strict=True))
    except (TypeError, KeyError, AttributeError, IndexError, ValueError, RuntimeError) as error:
        raise InputError(
            f'{source}: not a dump of predicted boxes.',
            repr(error),
            'a list of samples with img_id and pred_instances (bboxes, scores, labels), as '
            'tools/test.py --out writes it',
            f'write the file again by {tool_command("test")} --out',
        ) from error
