"""The first step of a repair: values that are not of the type that they should be."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmdet_digits.coco_structure import is_id
from mmdet_digits.datasets.checks.columns import number

NUMBERS = ('id', 'image_id', 'category_id', 'width', 'height', 'area')
IDS = {'images': ('id',), 'annotations': ('id', 'image_id', 'category_id'), 'categories': ('id',)}


@dataclass(frozen=True)
class Change:
    """One thing that a repair changed.

    Args:
        split: name of the split.
        what: what was done, and why.
        before: the entry or the value as it was.
        after: as it is now; None where it was removed.
        image_id: id of the image, as it was.
        annotation_id: id of the annotation, as it was; None where an image was changed.
    """

    split: str
    what: str
    before: Any
    after: Any = None
    image_id: Any = None
    annotation_id: Any = None


def repair_values(coco: dict, split: str) -> tuple[dict, list[Change]]:
    """Read numbers that are written as text, and leave out the entries that have no sound ids.

    Args:
        coco: a COCO file with its three lists; not changed.
        split: name of the split, for the changes.

    Returns:
        The repaired file, and what was changed.
    """
    changes, lists = [], {}
    for name, needed in IDS.items():
        lists[name] = []
        for entry, read in _read_entries(coco[name]):
            sound = isinstance(read, dict) and all(is_id(read.get(key)) for key in needed)
            lists[name] += [read] if sound else []
            if not sound:
                what = f'entry of {name} removed: it has no sound {", ".join(needed)}'
                changes.append(Change(split, what, entry))
            elif read != entry:
                changes.append(Change(split, f'{name}: text read as numbers', entry, read))
    return coco | lists, changes


def _read_entries(entries: list) -> Iterator[tuple[Any, Any]]:
    """Each entry, and the same with the numbers in it read."""
    for entry in entries:
        if not isinstance(entry, dict):
            yield entry, entry
            continue
        read = entry | {key: as_number(entry[key]) for key in NUMBERS if key in entry}
        if isinstance(entry.get('bbox'), list):
            read['bbox'] = [as_number(value) for value in entry['bbox']]
        yield entry, read


def as_number(value: Any) -> Any:
    """``'3'`` and 3.0 as 3, ``'3.5'`` as 3.5; anything else as it is."""
    try:
        read = number(float(value) if type(value) is str else value)
    except ValueError:
        return value
    if math.isnan(read):
        return value
    return int(read) if read == int(read) else read
