"""The first step of a repair: values that are not of the type that they should be."""

from dataclasses import dataclass
from typing import Any

from mmdet_digits.coco.structure import is_id
from mmdet_digits.coco.values import read_values

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
    """Read what is not written as COCO has it, and leave out the entries that have no sound ids.

    Args:
        coco: a COCO file with its three lists; not changed.
        split: name of the split, for the changes.

    Returns:
        The repaired file, and what was changed.
    """
    values, _ = read_values(coco)
    changes, lists = [], {}
    for name, needed in IDS.items():
        lists[name] = []
        for entry, read in zip(coco[name], values[name], strict=True):
            sound = isinstance(read, dict) and all(is_id(read.get(key)) for key in needed)
            lists[name] += [read] if sound else []
            if not sound:
                what = f'entry of {name} removed: it has no sound {", ".join(needed)}'
                changes.append(Change(split, what, entry))
            elif read != entry:
                changes.append(Change(split, f'{name}: values read or derived', entry, read))
    return coco | lists, changes
