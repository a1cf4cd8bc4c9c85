"""Repaired copies of annotation files: what can be told is corrected, the rest is left out.

Never in place. Every change is listed, with the ids and the values before and after.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mmdet_digits.categories import map_categories
from mmdet_digits.datasets.checks.categories import category_ids
from mmdet_digits.datasets.checks.files import image_folder
from mmdet_digits.datasets.checks.images import encode_plainly
from mmdet_digits.datasets.checks.reading import read_annotation_file
from mmdet_digits.datasets.checks.repair_boxes import repair_annotations
from mmdet_digits.datasets.checks.repair_images import RepairedImages, repair_images
from mmdet_digits.datasets.checks.repair_values import Change, repair_values
from mmdet_digits.datasets.checks.splits import Split, inspect_split
from mmdet_digits.datasets.checks.table import check_structure
from mmdet_digits.datasets.coco_files import CATEGORIES
from mmdet_digits.datasets.linking import Plan, build
from mmdet_digits.utils.checks import Check, Status
from mmdet_digits.utils.errors import InputError

CHANGES = 'changes.json'


@dataclass
class RepairedSplit:
    """One split, repaired.

    Args:
        coco: its annotation file.
        images: where its images come from.
        changes: what was changed.
    """

    coco: dict
    images: RepairedImages
    changes: list[Change]


def repair_dataset(
    splits: Mapping[str, Split],
    out_dir: Path,
    workers: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Change]:
    """Write repaired copies of annotation files, with links to their images.

    Images that ``'train'`` shares with another split are removed from train.

    Args:
        splits: split per name; the names become ``train.json`` and ``train/`` in ``out_dir``.
        out_dir: folder to make; it may not exist.
        workers: threads that decode images (None: one per CPU).
        advance: called after each image.

    Returns:
        Every change, as written to ``changes.json``.

    Raises:
        InputError: the folder exists, a file is no COCO file of digits, or nothing of it would be
            left. Nothing is written then.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() or out_dir.is_symlink():
        found = 'a folder' if out_dir.is_dir() else 'a file or a link'
        what = f'{out_dir}: already there; nothing was written.'
        raise InputError(what, found, 'the name of a new folder', 'name another one')
    repaired = {
        name: _repair_split(name, split, workers, advance) for name, split in splits.items()
    }
    if 'train' in repaired:
        _drop_shared(repaired)
    for name, split in splits.items():
        _check_left(repaired[name], split)
    plan = Plan()
    for name, split in splits.items():
        _plan_split(plan, name, repaired[name], split.image_dir)
    changes = [change for split in repaired.values() for change in split.changes]
    plan.files[CHANGES] = json.dumps([asdict(change) for change in changes], indent=1) + '\n'
    build(out_dir, plan, next(iter(splits.values())).image_dir)
    return changes


def _repair_split(
    name: str, split: Split, workers: int | None, advance: Callable[[], None]
) -> RepairedSplit:
    coco = split.coco
    if coco is None:
        coco, check = read_annotation_file(split.ann_file)
        _require(check, split)
    _require(check_structure(coco), split)
    _require(image_folder(split.image_dir), split)
    coco, changes = repair_values(coco, name)
    _require(check_structure(coco), split)  # an entry is left
    found = inspect_split(replace(split, coco=coco), True, workers, advance)
    categories = found.table.categories
    _require(category_ids(categories), split)
    ids = map_categories(categories, str(split.ann_file))
    images = repair_images(coco['images'], found, name)
    boxes, changed = repair_annotations(coco['annotations'], images, ids, name)
    changes += images.changes + changed
    if categories != CATEGORIES:
        changes.append(Change(name, 'categories put in order', categories, CATEGORIES))
    lists = {'images': images.entries, 'annotations': boxes, 'categories': CATEGORIES}
    return RepairedSplit(coco | lists, images, changes)


def _require(check: Check, split: Split) -> None:
    """Raise InputError for a check without which nothing can be repaired."""
    if check.status is Status.FAIL:
        what = f'{split.ann_file}: cannot be repaired ({check.name}).'
        raise InputError(what, check.found, check.expected, check.fix)


def _drop_shared(repaired: Mapping[str, RepairedSplit]) -> None:
    """Remove from train the images that other splits hold as well."""
    train = repaired['train']
    holder = {
        digest: name
        for name, split in repaired.items()
        if name != 'train'
        for digest in split.images.digests.values()
    }
    for image in train.coco['images']:
        name = holder.get(train.images.digests[image['id']])
        if name is not None:
            what = f'image removed: {name} holds it too'
            train.changes.append(Change('train', what, image, image_id=image['id']))
    left = [i for i in train.coco['images'] if train.images.digests[i['id']] not in holder]
    ids = {image['id'] for image in left}
    boxes = [box for box in train.coco['annotations'] if box['image_id'] in ids]
    train.coco = train.coco | {'images': left, 'annotations': boxes}


def _check_left(repaired: RepairedSplit, split: Split) -> None:
    if not repaired.coco['images']:
        reasons = sorted({change.what for change in repaired.changes if change.after is None})
        what = f'{split.ann_file}: a repair would leave no image; nothing was written.'
        fix = 'correct what is wrong with all of them first: tools/check_data.py says what'
        raise InputError(what, '; '.join(reasons[:3]), 'at least one sound image', fix)


def _plan_split(plan: Plan, name: str, repaired: RepairedSplit, folder: Path) -> None:
    """Plan the annotation file of a split, and per image a link or a new file."""
    plan.files[f'{name}.json'] = json.dumps(repaired.coco) + '\n'
    images = repaired.images
    for image in repaired.coco['images']:
        source = Path(folder, images.sources[image['id']]).resolve()
        path = f'{name}/{image["file_name"]}'
        if image['id'] in images.rewritten:
            plan.files[path] = encode_plainly(source, images.rewritten[image['id']])
        else:
            plan.links[path] = source
