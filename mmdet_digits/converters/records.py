"""One annotated image, whatever format it came from, and COCO dictionaries made of many."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmdet_digits.boxes import clip_boxes
from mmdet_digits.coco.categories import DIGITS, ZERO_ALIAS
from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.coco.structure import LARGEST, is_bbox, name_problem, shortened
from mmdet_digits.errors import InputError, quoted_list

#: Coordinates are written with this many decimals (YOLO's fractions give 245.99997 for 246).
DECIMALS = 2


@dataclass(frozen=True)
class DigitRecord:
    """The digits of one image.

    Args:
        file_name: name of the image, below the folder of images.
        bboxes: (N, 4) float, ``[x, y, w, h]`` in pixels; the corner of the image is (0, 0).
        digits: (N,) int, 0 to 9, in the order of the annotations.
        where: where the record stands, for messages.
        size: ``(width, height)`` where the annotation says so.
        others: the class names of its boxes that are no digits; those boxes are not in ``bboxes``.
        scores: (N,) float, how sure each box is, where a detector drew them.
    """

    file_name: str
    bboxes: np.ndarray
    digits: np.ndarray
    where: str
    size: tuple[int, int] | None = None
    others: tuple[str, ...] = ()
    scores: np.ndarray | None = None


class DigitRecords(Sequence[DigitRecord]):
    """The records of a file or a folder. Each is read when asked for; it may be wrong."""

    def notes(self, others: Counter[str]) -> Iterable[str]:
        """What a reader of the converted file should know of the input as a whole.

        Args:
            others: boxes that were left out, per class that is no digit.
        """
        return ()


@dataclass
class Conversion:
    """What came of a conversion.

    Args:
        coco: the COCO dictionary.
        clipped: number of boxes that were cut at the edge of their image.
        skipped: what is wrong with each record that was left out.
        ids_from_names: whether the image ids are the numbers in the file names.
        others: boxes that were left out, per class that is no digit.
    """

    coco: dict
    clipped: int = 0
    skipped: list[str] = field(default_factory=list)
    ids_from_names: bool = True
    others: Counter[str] = field(default_factory=Counter)


def make_record(
    file_name: str,
    bboxes: Sequence[Sequence[float]],
    digits: Sequence[int],
    where: str,
    size: tuple[int, int] | None = None,
    others: Iterable[str] = (),
) -> DigitRecord:
    """Make a record, checked.

    Args:
        file_name: as in `DigitRecord`.
        bboxes: N boxes ``[x, y, w, h]`` in pixels, from 0.
        digits: N digits.
        where: where the record stands.
        size: ``(width, height)`` if known.
        others: as in `DigitRecord`.

    Raises:
        InputError: the file name leads elsewhere or is none, a number is not finite, a digit is not
            0 to 9, or a box has no area.
    """
    problem = name_problem(file_name)
    if problem:
        raise InputError(f'{where}: the file name {shown(file_name)} {problem}.')
    boxes = np.array(bboxes, float).reshape(-1, 4)
    digits = np.array(digits, float)
    for index, (box, digit) in enumerate(zip(boxes, digits, strict=True), 1):
        if not is_bbox(box.tolist()):
            raise InputError(f'{where}: box {index} is {box.tolist()}, expected finite numbers.')
        if digit not in range(10):
            raise InputError(f'{where}: box {index} is labelled {digit:g}, which is no digit.')
        if min(box[2:]) <= 0:
            raise InputError(
                f'{where}: box {index} is {box[2]:g} x {box[3]:g} px, expected an area above 0.'
            )
    return DigitRecord(file_name, boxes, digits.astype(int), where, size, tuple(others))


def shown(name: str) -> str:
    """A name for a message, by its repr where it holds what a person could not see."""
    plain = name.isprintable() and name == name.strip() and name
    return shortened(name if plain else repr(name))


def digit_of(name: str) -> int | None:
    """The digit that a class name stands for. None if it is no digit.

    SVHN's ``'10'`` is zero; blanks around the name, and the ``.0`` that some tools write, are not
    part of it.
    """
    name = name.strip().removesuffix('.0')
    if name == ZERO_ALIAS:
        return 0
    return DIGITS.index(name) if name in DIGITS else None


def build_coco(
    records: Sequence[DigitRecord],
    size_of: Callable[[DigitRecord], tuple[int, int]],
    clip: bool = True,
    skip_bad: bool = False,
    progress: Callable[[Iterable], Iterable] = iter,
    ignore: Collection[str] = (),
) -> Conversion:
    """Read all records and make a COCO dictionary of them.

    The image id is the number that the file name is, as in HW2, where every name is a number and
    no two are the same; otherwise images are numbered from 1.

    Args:
        records: a sequence whose items may raise `InputError`.
        size_of: gives ``(width, height)`` of a record's image, or raises `InputError`.
        clip: cut boxes at the edge of their image; otherwise they stay as they are.
        skip_bad: leave records out that are wrong, instead of stopping.
        progress: wraps the range of indices, to show how far it is.
        ignore: classes that are no digits and whose boxes are left out.

    Raises:
        InputError: boxes are of a class that is neither a digit nor to be ignored, or records are
            wrong (the message names them all, or the first ten), or all are.
    """
    good, bad, names, clipped, others = [], [], set(), 0, Counter()
    for index in progress(range(len(records))):
        try:
            record = records[index]
            others.update(record.others)
            if record.file_name in names:
                raise InputError(f'{record.where}: {record.file_name} stood before.')
            record, count = _fit(record, size_of(record), clip)
        except InputError as error:
            bad.append(str(error))
            continue
        names.add(record.file_name)
        good.append(record)
        clipped += count
    if others.keys() - set(ignore):
        raise _no_digits(others, ignore)
    if bad and not (skip_bad and good):
        raise _refused(bad, len(records), skip_bad)
    coco, from_names = _assemble(good)
    return Conversion(coco, clipped, bad, from_names, others)


def _no_digits(others: Counter[str], ignore: Collection[str]) -> InputError:
    found = [f'{name!r} ({n:,})' for name, n in others.most_common() if name not in ignore]
    return InputError(
        'Boxes of classes that are no digits; nothing was written.',
        shortened(', '.join(found), 400),
        "digits, 0 to 9; '10' stands for zero",
        f'add --ignore-classes {quoted_list(sorted({*others, *ignore}))} to leave these boxes out '
        'and keep the others of their images, or correct the names if they stand for digits',
    )


def _fit(record: DigitRecord, size: tuple[int, int], clip: bool) -> tuple[DigitRecord, int]:
    """Clip a record to its image and note its size; also returns how many boxes that changed."""
    inside = clip_boxes(record.bboxes, size)
    outside = (inside[:, 2:] <= 0).any(axis=1)
    if outside.any():
        index = int(outside.argmax())
        box = ', '.join(f'{value:g}' for value in record.bboxes[index])
        raise InputError(
            f'{record.where}: box {index + 1}, [{box}], lies outside its image of '
            f'{size[0]} x {size[1]} px.'
        )
    if not clip:
        return replace(record, size=size), 0
    changed = (np.abs(inside - record.bboxes) > 10**-DECIMALS).any(axis=1)
    return replace(record, bboxes=inside, size=size), int(changed.sum())


def _refused(bad: list[str], total: int, skip_bad: bool) -> InputError:
    lines = bad[:10] + ([f'... and {len(bad) - 10} more'] if len(bad) > 10 else [])
    fix = 'put them right, or add --skip-bad to leave these images out'
    if skip_bad:
        fix = 'put at least one right: no record is left without them'
    return InputError(
        f'{len(bad)} of {total} records are wrong; nothing was written.',
        '\n            '.join(lines),
        'records that can all be converted',
        fix,
    )


def _assemble(records: list[DigitRecord]) -> tuple[dict, bool]:
    """COCO's dictionary, and whether the image ids are the numbers in the file names."""
    ids, from_names = _image_ids([record.file_name for record in records])
    images, annotations = [], []
    for image_id, record in zip(ids, records, strict=True):
        width, height = map(int, record.size)
        image = {'id': image_id, 'file_name': record.file_name}
        images.append(image | {'width': width, 'height': height})
        boxes = record.bboxes.round(DECIMALS).tolist()
        scores = [{}] * len(boxes)
        if record.scores is not None:
            scores = [{'score': score} for score in record.scores.round(4).tolist()]
        for digit, (x, y, w, h), score in zip(record.digits.tolist(), boxes, scores, strict=True):
            box = {
                'id': len(annotations) + 1,
                'image_id': image_id,
                'category_id': CATEGORIES[digit]['id'],
                'bbox': [x, y, w, h],
                'area': round(w * h, 2 * DECIMALS),
                'iscrowd': 0,
            }
            annotations.append(box | score)
    return {'images': images, 'annotations': annotations, 'categories': CATEGORIES}, from_names


def _image_ids(file_names: list[str]) -> tuple[list[int], bool]:
    stems = [Path(name).stem for name in file_names]
    if all(stem.isascii() and stem.isdigit() for stem in stems):
        ids = [int(stem) for stem in stems]
        if len(set(ids)) == len(ids) and max(ids, default=0) <= LARGEST:
            return ids, True
    return list(range(1, len(stems) + 1)), False
