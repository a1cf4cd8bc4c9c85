"""The steps of a repair: values, then images against their files, then boxes."""

import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmdet_digits.checks.data.columns import number
from mmdet_digits.checks.data.images import ImageFacts, oddity
from mmdet_digits.checks.data.splits import Inspection
from mmdet_digits.coco.structure import is_bbox, is_id
from mmdet_digits.coco.values import read_values

# In which frame boxes lie whose image file has another size than the JSON says.

OWN, STATED, UNKNOWN = 'file', 'stated', 'unknown'
FEW, MANY = 0.01, 0.1  # shares of images: so few are faults of their own, so many speak for all


def find_frames(
    stated: np.ndarray, sizes: np.ndarray, rows: np.ndarray, bboxes: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Find out whether the boxes lie in the file or in an image of the stated size.

    A box whose middle is beyond one of the two lies in the other. Images that do not say it follow
    those that do, if these are of the same shape as stated, and larger or smaller, as well. If none
    says it, boxes that lie in the smaller of the two belong there; but only boxes of a file of the
    same shape can be brought into a larger one.

    Args:
        stated: width and height in the JSON (M, 2); above 0.
        sizes: those of the files (M, 2), others than stated.
        rows: the image of each box (N,).
        bboxes: the boxes (N, 4) as ``[x, y, w, h]``.

    Returns:
        ``OWN`` (that of the file), ``STATED`` or ``UNKNOWN`` of each image, and whether the file
        has the stated shape (M,).
    """
    same, shrunk = same_shape(stated, sizes), (sizes <= stated).all(axis=1)
    grown = (sizes >= stated).all(axis=1)
    beyond_file, beyond_stated = (_beyond(frame, rows, bboxes) for frame in (sizes, stated))
    in_stated, in_file = beyond_file & ~beyond_stated, beyond_stated & ~beyond_file
    open_ = ~beyond_file & ~beyond_stated
    frames = np.full(len(sizes), UNKNOWN, dtype=object)
    for group, default in ((same & grown, STATED), (same & shrunk, OWN)):
        total = max(group.sum(), 1)
        votes = {STATED: (group & in_stated).sum() / total, OWN: (group & in_file).sum() / total}
        frames[open_ & group] = _decide(votes, default)
    frames[open_ & ~same & shrunk] = OWN
    frames[np.bincount(rows, minlength=len(sizes)) == 0] = OWN
    frames[in_stated], frames[in_file] = STATED, OWN
    return frames.tolist(), same


def _decide(votes: dict[str, float], default: str) -> str:
    """What the images of a group follow that say nothing themselves."""
    told = [name for name, share in votes.items() if share > FEW]
    if not told:
        return default
    return told[0] if len(told) == 1 and votes[told[0]] >= MANY else UNKNOWN


def same_shape(stated: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether sizes (M, 2) are the stated ones (M, 2), enlarged or reduced and rounded (M,)."""
    scales = sizes / stated
    off = np.abs(sizes[:, ::-1] - stated[:, ::-1] * scales)  # each side by the scale of the other
    return (off <= 1).any(axis=1)


def _beyond(frame: np.ndarray, rows: np.ndarray, bboxes: np.ndarray) -> np.ndarray:
    """The images that have a box whose middle is not in a frame (M, 2)."""
    middles = bboxes[:, :2] + bboxes[:, 2:] / 2
    out = ((middles < 0) | (middles > frame[rows])).any(axis=1)
    return np.bincount(rows[out], minlength=len(frame)) > 0


def scale_box(bbox: Sequence[float], scale: tuple[float, float]) -> list[float]:
    """Enlarge ``[x, y, w, h]`` with its image, to a thousandth of a pixel."""
    return [round(side * factor, 3) for side, factor in zip(bbox, scale * 2, strict=True)]


# The first step of a repair: values that are not of the type that they should be.

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


# The second step of a repair: the entries of the images, against their files.


@dataclass
class RepairedImages:
    """The images that are left, and what became of the others.

    Args:
        entries: the entries that are left.
        changes: what was changed.
        moved: id under which an image stands now, by the id of its entry that was removed.
        sources: file in the image folder, by id.
        digests: hash of the pixels, by id.
        rewritten: images that are to be written anew as 8-bit RGB, by id: whether as they are
            shown, turned as their EXIF tag says, or as they are stored.
        scales: how much wider and higher files are than the boxes were drawn for, by the id of the
            entry.
    """

    entries: list[dict] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    moved: dict[int, int] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    rewritten: dict[int, bool] = field(default_factory=dict)
    scales: dict[int, tuple[float, float]] = field(default_factory=dict)


def repair_images(images: list[dict], found: Inspection, split: str) -> RepairedImages:
    """Repair the entries of the images.

    Args:
        images: the entries, each with a sound id; not changed.
        found: what was found in the file that they are from, decoded; its rows are theirs.
        split: name of the split, for the changes.
    """
    resized, scales = resized_images(found)
    repaired = RepairedImages(scales={images[row]['id']: s for row, s in scales.items()})
    removed = removals(found) | resized
    names = set(found.match.files.values())
    first_of = {}
    for row, image in enumerate(images):
        why = removed.get(row)
        file = found.match.files.get(row)
        if why is None and first_of.setdefault(file, image['id']) != image['id']:
            repaired.moved[image['id']] = first_of[file]
            why = f'image {first_of[file]} has the same file; its boxes were moved there'
        if why is not None:
            what = f'image removed: {why}'
            repaired.changes.append(Change(split, what, image, image_id=image['id']))
            continue
        _keep(repaired, image, found, row, names, split)
    return repaired


def removals(found: Inspection) -> dict[int, str]:
    """Which images cannot stay, by row, and why."""
    table, match = found.table, found.match
    reasons = {row: fact.problem for row, fact in found.facts.items() if fact.problem}
    lost = dict.fromkeys(match.missing, 'its file is not there')
    lost |= dict.fromkeys(match.leaving, 'its file name leads out of the folder')
    reasons |= {row: why for row, why in lost.items() if row not in match.meant}
    reasons |= dict.fromkeys(np.flatnonzero(table.file_names == '').tolist(), 'it has no file name')
    rows_of = defaultdict(list)
    for row, image_id in enumerate(table.image_ids.tolist()):
        rows_of[image_id].append(row)
    for rows in rows_of.values():
        if len({table.file_names[row] for row in rows}) > 1:
            reasons |= dict.fromkeys(rows, 'several files have its id: whose are the boxes?')
        else:
            reasons |= dict.fromkeys(rows[1:], 'it stands twice')
    return reasons


def resized_images(
    found: Inspection,
) -> tuple[dict[int, str], dict[int, tuple[float, float]]]:
    """Images of another size than stated: which cannot stay and why, and which boxes to scale.

    Returns:
        The reasons, and how much wider and higher the files are, both by row.
    """
    table = found.table
    sizes = {row: _size(fact, table.sizes[row]) for row, fact in found.facts.items()}
    rows = [r for r, s in sizes.items() if 0 not in s and 0 not in table.sizes[r]]
    rows = np.array([r for r in rows if sizes[r] != tuple(table.sizes[r].tolist())], dtype=int)
    if not len(rows):
        return {}, {}
    place = np.full(len(table.sizes) + 1, -1)  # the last is for boxes without image
    place[rows] = np.arange(len(rows))
    owners = place[table.image_rows]
    stated, actual = table.sizes[rows], np.array([sizes[row] for row in rows])
    frames, same = find_frames(stated, actual, owners[owners >= 0], table.bboxes[owners >= 0])
    reasons, scales = {}, {}
    for row, frame, alike, scale in zip(rows.tolist(), frames, same, actual / stated, strict=True):
        if frame == STATED and alike:
            scales[row] = tuple(scale.tolist())
        elif frame == STATED:
            reasons[row] = 'its boxes were drawn on an image of another shape'
        elif frame == UNKNOWN:
            reasons[row] = 'its file has another size, and nothing says which its boxes fit'
    return reasons, scales


def _size(fact: ImageFacts, stated: np.ndarray) -> tuple[int, int]:
    """The size of an image: as shown, or as stored where the boxes were drawn on that."""
    return fact.stored_size if tuple(stated.tolist()) == fact.stored_size else fact.size


def _keep(
    repaired: RepairedImages, image: dict, found: Inspection, row: int, names: set, split: str
) -> None:
    """Add an image with the name and the size that its file has."""
    fact, file = found.facts[row], found.match.files[row]
    width, height = _size(fact, found.table.sizes[row])
    name = file
    if fact.turned or oddity(fact):
        repaired.rewritten[image['id']] = (width, height) == fact.size
        name = _png_name(file, names)
    entry = image | {'file_name': name, 'width': width, 'height': height}
    what = [
        image['id'] in repaired.rewritten and 'written anew as 8-bit RGB PNG',
        file != image['file_name'] and 'file name corrected',
        (width, height) != (image.get('width'), image.get('height')) and 'size corrected',
    ]
    if any(what):
        text = f'image: {", ".join(filter(None, what))}'
        repaired.changes.append(Change(split, text, image, entry, image_id=image['id']))
    repaired.entries.append(entry)
    repaired.sources[image['id']] = file
    repaired.digests[image['id']] = fact.digest


def _png_name(file: str, names: set[str]) -> str:
    """The name of a file with the suffix .png, changed until no other file has it."""
    stem = posixpath.splitext(file)[0]
    while (name := f'{stem}.png') != file and name in names:
        stem += '_'
    names.add(name)
    return name


# The third step of a repair: the annotations.


def repair_annotations(
    annotations: list[dict], images: RepairedImages, category_ids: Sequence[int], split: str
) -> tuple[list[dict], list[Change]]:
    """Repair the annotations of a COCO file.

    Args:
        annotations: the entries, each with sound ids; not changed.
        images: the images that are left.
        category_ids: id of each digit in the file; becomes 1 for 0, 2 for 1, ...
        split: name of the split, for the changes.

    Returns:
        The repaired annotations, and what was changed. That the id of a category became another is
        not listed box by box.
    """
    new_ids = {old: new for new, old in enumerate(category_ids, start=1)}
    sizes = {image['id']: (image['width'], image['height']) for image in images.entries}
    next_id = max((annotation['id'] for annotation in annotations), default=0) + 1
    kept, changes, ids, boxes = [], [], set(), set()
    for before in annotations:
        moved = {'image_id': images.moved.get(before['image_id'], before['image_id'])}
        scale = images.scales.get(before['image_id'])
        after, done = repair_annotation(before | moved, sizes, new_ids, scale)
        if moved['image_id'] != before['image_id']:
            done.append('moved to the entry of the same file')
        if after is not None and (key := _key(after)) in boxes:
            after, done = None, ['it stands twice']
        if after is not None:
            if after['id'] in ids or after['id'] < 1:
                after['id'], next_id = max(next_id, 1), max(next_id, 1) + 1
                done.append('id replaced')
            ids.add(after['id'])
            boxes.add(key)
            kept.append(after)
        if done:
            what = f'box {"removed" if after is None else "changed"}: {", ".join(done)}'
            changes.append(Change(split, what, before, after, before['image_id'], before['id']))
    return kept, changes


def repair_annotation(
    annotation: dict,
    sizes: Mapping[int, tuple[int, int]],
    new_ids: Mapping[int, int],
    scale: tuple[float, float] | None = None,
) -> tuple[dict | None, list[str]]:
    """Repair one annotation.

    Args:
        annotation: the entry, with sound ids; not changed.
        sizes: width and height of the images, by id.
        new_ids: new ids of the categories, by the old ones.
        scale: how much wider and higher its image became since the box was drawn.

    Returns:
        It as it should be, None where it cannot stay; and what was done, or why.
    """
    bbox = annotation.get('bbox')
    if annotation['image_id'] not in sizes:
        return None, ['its image is not there']
    if annotation['category_id'] not in new_ids:
        return None, ['its category is not there']
    if not is_bbox(bbox):
        return None, ['bbox is not four numbers']
    if annotation.get('ignore', 0) not in (0, 1):
        return None, ['ignore is neither 0 nor 1']
    done = []
    if scale:
        bbox, done = scale_box(bbox, scale), ['scaled with its image']
    if min(bbox[2:]) < 1:
        return None, ['it is under 1 px wide or high']
    cut = cut_box(bbox, *sizes[annotation['image_id']])
    if min(cut[2:]) < 1:
        return None, ['it lies outside its image']
    repaired = annotation | {'bbox': cut, 'category_id': new_ids[annotation['category_id']]}
    done += ['cut at the edge of its image'] if cut != bbox else []
    area = cut[2] * cut[3]
    if not abs(number(annotation.get('area')) - area) <= max(area / 100, 1):  # NaN is not
        repaired['area'] = area
        done.append('area corrected')
    if annotation.get('iscrowd') not in (0, 1):
        repaired['iscrowd'] = 0
        done.append('iscrowd set to 0')
    return repaired, done


def cut_box(bbox: Sequence[float], width: int, height: int) -> list[float]:
    """The part of ``[x, y, w, h]`` inside an image; not above 0 wide or high if there is none."""
    x, y, w, h = bbox
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + w, width), min(y + h, height)
    if (left, top, right, bottom) == (x, y, x + w, y + h):
        return list(bbox)
    return [left, top, right - left, bottom - top]


def _key(annotation: dict) -> tuple:
    """What two annotations of one box have in common."""
    return annotation['image_id'], annotation['category_id'], *annotation['bbox']
