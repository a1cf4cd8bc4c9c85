"""Annotation files as arrays: read, with what is wrong in their structure named, value by value."""

import reprlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from mmdet_digits.checks.data import columns
from mmdet_digits.checks.finding import Check, Status, first_ten
from mmdet_digits.coco.structure import FORMAT
from mmdet_digits.coco.values import MISSING
from mmdet_digits.errors import InputError
from mmdet_digits.files import read_json
from mmdet_digits.repository import tool_command

# How a check says which cases it found.

#: The command that writes a repaired copy.
REPAIR = f'{tool_command("check_data")} --fix OUT'

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def report(
    name: str,
    cases: list,
    expected: str,
    fix: str,
    status: Status = Status.FAIL,
    among: str = '',
    repair: str = '',
) -> Check:
    """A check that is fine where there is no case, and otherwise shows the first ten.

    Args:
        name: what was looked for.
        cases: one text per case.
        expected: what should be there instead.
        fix: how to put it right.
        status: how bad a case is.
        among: what was looked through, e.g. ``'621 images'``, where that needs saying.
        repair: what the repair does about it, e.g. ``'drops them'``.
    """
    if not cases:
        return Check(name, Status.OK, f'none of {among}' if among else 'none')
    if repair:
        fix = f'{fix}; {REPAIR} {repair}'
    return Check(name, status, first_ten(cases), expected, fix)


def shown(value: object) -> str:
    """A value from a file as text that can be printed: shortened, on one line, escaped."""
    try:
        return _REPR.repr(value).encode('utf-8', 'backslashreplace').decode()
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f'{type(value).__name__} too long to show'


# Reading an annotation file, with the place where its syntax breaks.

NAME = 'annotation file'
PACKED = {  # what a file begins with that Python's open() does not read as text
    b'\x1f\x8b': 'gzipped',
    b'\xef\xbb\xbf': 'UTF-8 behind a byte order mark',
    b'\xff\xfe': 'UTF-16',
    b'\xfe\xff': 'UTF-16',
}


def read_annotation_file(path: Path) -> tuple[Any, Check]:
    """Parse a JSON file, plain or gzipped.

    Returns:
        Its content, None where it cannot be read; and how that went. Never raises.
    """
    try:
        content = read_json(path, FORMAT)
        with Path(path).open('rb') as file:
            head = file.read(3)
    except InputError as error:
        where = f'{error.what} {error.found}'
        return None, Check(NAME, Status.FAIL, where, error.expected, error.fix)
    except (OSError, ValueError) as error:  # removed meanwhile, or a path that no system allows
        return None, Check(NAME, Status.FAIL, f'{path}: {error}', FORMAT, 'correct the path')
    packed = [text for start, text in PACKED.items() if head.startswith(start)]
    if packed:
        expected = 'plain JSON in UTF-8, which is all that other COCO tools read'
        fix = 'nothing, unless another tool reads this file'
        return content, Check(NAME, Status.WARN, f'{path}: {packed[0]}', expected, fix)
    return content, Check(NAME, Status.OK, str(path))


# A COCO file as arrays: what is sound in it, and a check that names what is not.

LISTS = ('images', 'annotations', 'categories')
EXPECTED = {
    'images': 'id: a whole number; file_name: text; width, height: whole numbers above 0',
    'annotations': 'id, image_id, category_id: whole numbers; bbox: four finite numbers '
    '[x, y, w, h]; area: a number; iscrowd, ignore: 0 or 1',
    'categories': 'id: a whole number; name: text',
}
FIX = 'correct these entries, or convert the data again'


@dataclass(frozen=True, eq=False)
class CocoTable:
    """The sound entries of a COCO file.

    An image is in it with a sound id, an annotation with sound ids and a sound bbox.

    Args:
        image_ids: ids of the images (M,).
        file_names: their file names (M,); empty where the file does not say it soundly.
        sizes: width and height of each (M, 2); 0 where the file does not say it soundly.
        ann_ids: ids of the annotations (N,).
        ann_image_ids: ids of their images (N,).
        category_ids: ids of their categories (N,).
        bboxes: their boxes (N, 4) as ``[x, y, w, h]`` in pixels.
        areas: their areas (N,); NaN where the file does not say it soundly.
        crowd: whether they are crowd regions (N,).
        ignored: whether they carry a true ``ignore`` (N,).
        categories: the sound entries of the list, with ``id`` and ``name``.
        areas_given: whether the file says areas; else they are derived from the boxes.
    """

    image_ids: np.ndarray
    file_names: np.ndarray
    sizes: np.ndarray
    ann_ids: np.ndarray
    ann_image_ids: np.ndarray
    category_ids: np.ndarray
    bboxes: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray
    categories: list[dict]
    areas_given: bool = True

    @cached_property
    def image_rows(self) -> np.ndarray:
        """The row of each annotation's image (N,); -1 where there is none."""
        if not len(self.image_ids):
            return np.full(len(self.ann_ids), -1)
        order = np.argsort(self.image_ids, kind='stable')
        ordered = self.image_ids[order]
        place = np.minimum(np.searchsorted(ordered, self.ann_image_ids), len(order) - 1)
        return np.where(ordered[place] == self.ann_image_ids, order[place], -1)

    @cached_property
    def ann_sizes(self) -> np.ndarray:
        """Width and height of each annotation's image (N, 2); 0 where they are not known."""
        known = self.image_rows >= 0
        sizes = np.zeros((len(known), 2), dtype=np.int64)
        sizes[known] = self.sizes[self.image_rows[known]]
        return sizes

    def without(self, category_ids: Collection[int], categories: list[dict]) -> 'CocoTable':
        """The same without the annotations of some categories, and with other categories."""
        kept = ~np.isin(self.category_ids, list(category_ids))
        rows = ('ann_ids', 'ann_image_ids', 'category_ids', 'bboxes', 'areas', 'crowd', 'ignored')
        left = {name: getattr(self, name)[kept] for name in rows}
        return replace(self, **left, categories=categories)

    def images(self, rows: np.ndarray) -> list[str]:
        """Images as text, given as row numbers or as a mask (M,)."""
        pairs = zip(self.image_ids[rows].tolist(), self.file_names[rows], strict=True)
        return [f'image {image_id} ({shown(name)[1:-1]})' for image_id, name in pairs]

    def annotations(self, rows: np.ndarray) -> list[str]:
        """Annotations as text, with their images, given as row numbers or as a mask (N,)."""
        triples = zip(
            self.ann_ids[rows].tolist(),
            self.ann_image_ids[rows].tolist(),
            self.image_rows[rows].tolist(),
            strict=True,
        )
        return [
            f'annotation {ann_id} of image {image_id}'
            + (f' ({shown(self.file_names[row])[1:-1]})' if row >= 0 else '')
            for ann_id, image_id, row in triples
        ]


class _Entries:
    """One list of a COCO file, read column by column; what is wrong is noted with its place."""

    def __init__(self, coco: dict, name: str) -> None:
        self.name = name
        self.rows = [row for row, entry in enumerate(coco[name]) if isinstance(entry, dict)]
        self.entries = [coco[name][row] for row in self.rows]
        others = set(range(len(coco[name]))).difference(self.rows)
        self.problems = [
            (row, f'{name}[{row}] is {shown(coco[name][row])}, not an object') for row in others
        ]

    def column(
        self, key: str, read: Callable[[list], tuple], default: Any = MISSING
    ) -> tuple[np.ndarray, np.ndarray]:
        """The values of a key as ``read`` gives them, and which are sound."""
        try:
            values = list(map(itemgetter(key), self.entries))
        except KeyError:
            values = [entry.get(key, default) for entry in self.entries]
        array, sound = read(values)
        for row in np.flatnonzero(~sound):
            self.problems.append((self.rows[row], self._problem(row, key, values[row])))
        return array, sound

    def _problem(self, row: int, key: str, value: Any) -> str:
        entry = self.entries[row]
        ids = [f'{k} {shown(entry[k])}' for k in ('id', 'image_id') if k in entry and k != key]
        where = f'{self.name}[{self.rows[row]}]' + (f' ({", ".join(ids)})' if ids else '')
        return f'{where}: {key} is {shown(value)}'

    def check(self) -> Check:
        cases = [text for _, text in sorted(self.problems, key=lambda problem: problem[0])]
        repair = 'corrects sizes, area and iscrowd, and drops the rest'
        return report(f'fields of {self.name}', cases, EXPECTED[self.name], FIX, repair=repair)


def read_table(coco: Any, images_only: bool = False) -> tuple[CocoTable | None, list[Check]]:
    """Read the content of a COCO file.

    Args:
        coco: the content.
        images_only: whether it need not have annotations.

    Returns:
        What is sound in it, None where it is no COCO file at all; and the checks of its structure
        and its fields. Never raises.
    """
    structure = check_structure(coco, images_only)
    if structure.status is Status.FAIL:
        return None, [structure]
    coco = {name: coco.get(name, []) for name in LISTS}
    images, annotations, categories = (_Entries(coco, name) for name in LISTS)
    table = CocoTable(
        **_image_columns(images),
        **_annotation_columns(annotations),
        categories=_category_rows(categories),
    )
    return table, [structure, images.check(), annotations.check(), categories.check()]


def has_areas(coco: dict) -> bool:
    """Whether the annotations of a COCO file, of any content, say areas."""
    entries = coco.get('annotations')
    entries = entries if isinstance(entries, list) else []
    return any(isinstance(entry, dict) and entry.get('area') is not None for entry in entries)


def check_structure(coco: Any, images_only: bool = False) -> Check:
    """Whether the content is an object with the lists that it needs, and has an image."""
    expected = 'an object with the lists images, annotations and categories'
    fix = 'give the annotation file, or convert the data again; data/README.md shows the format'
    if not isinstance(coco, dict):
        found = f'a {type(coco).__name__}: {shown(coco)}'
        return Check('structure', Status.FAIL, found, expected, fix)
    unlabelled = images_only and 'annotations' not in coco
    lists = [name for name in LISTS if not unlabelled or name in coco]
    wrong = [
        f'{name} is {shown(coco.get(name, MISSING))}'
        for name in lists
        if not isinstance(coco.get(name), list)
    ]
    if wrong:
        return Check('structure', Status.FAIL, '; '.join(wrong), expected, fix)
    found = ', '.join(f'{len(coco[name]):,} {name}' for name in lists)
    if not coco['images']:
        return Check('structure', Status.FAIL, found, 'at least one image', fix)
    if unlabelled:
        expected = 'annotations, unless these are test images without labels'
        return Check('structure', Status.WARN, found, expected, 'nothing, if they are')
    return Check('structure', Status.OK, found)


def _image_columns(images: _Entries) -> dict[str, np.ndarray]:
    ids, sound = images.column('id', columns.ids)
    names, _ = images.column('file_name', columns.texts)
    widths, sound_widths = images.column('width', columns.sizes)
    heights, sound_heights = images.column('height', columns.sizes)
    sizes = np.stack([widths, heights], axis=1) * (sound_widths & sound_heights)[:, None]
    return {'image_ids': ids[sound], 'file_names': names[sound], 'sizes': sizes[sound]}


def _annotation_columns(annotations: _Entries) -> dict[str, np.ndarray]:
    keys = {'ann_ids': 'id', 'ann_image_ids': 'image_id', 'category_ids': 'category_id'}
    found = {name: annotations.column(key, columns.ids) for name, key in keys.items()}
    found['bboxes'] = annotations.column('bbox', columns.boxes)
    sound = np.logical_and.reduce([mask for _, mask in found.values()])
    areas, sound_areas = annotations.column('area', columns.numbers)
    crowd, _ = annotations.column('iscrowd', columns.flags)
    ignored, _ = annotations.column('ignore', columns.flags, default=0)
    found['areas'] = np.where(sound_areas, areas, np.nan), None
    found |= {'crowd': (crowd, None), 'ignored': (ignored, None)}
    return {name: array[sound] for name, (array, _) in found.items()}


def _category_rows(categories: _Entries) -> list[dict]:
    ids, sound_ids = categories.column('id', columns.ids)
    names, sound_names = categories.column('name', columns.names)
    sound = sound_ids & sound_names
    pairs = zip(ids[sound].tolist(), names[sound].tolist(), strict=True)
    return [{'id': category_id, 'name': name} for category_id, name in pairs]
