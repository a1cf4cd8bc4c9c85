"""The second step of a repair: the entries of the images, against their files."""

import posixpath
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from mmdet_digits.checks.data.frames import STATED, UNKNOWN, find_frames
from mmdet_digits.checks.data.image_files import oddity
from mmdet_digits.checks.data.images import ImageFacts
from mmdet_digits.checks.data.repair_values import Change
from mmdet_digits.checks.data.splits import Inspection


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
