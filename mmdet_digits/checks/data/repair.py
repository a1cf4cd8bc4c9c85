"""Repaired copies of annotation files: what can be proved is corrected, the rest is left out.

Never in place. Every change is listed, with the ids and the values before and after. What would
leave out more than a hundredth is refused, unless it is asked for.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mmdet_digits.checks.data.boxes import DECIMALS, find_form, form_of_boxes
from mmdet_digits.checks.data.categories import category_ids
from mmdet_digits.checks.data.columns import boxes as as_boxes
from mmdet_digits.checks.data.corrections import (
    Change,
    RepairedImages,
    repair_annotations,
    repair_images,
    repair_values,
)
from mmdet_digits.checks.data.files import image_folder
from mmdet_digits.checks.data.images import ImageFacts, encode_plainly
from mmdet_digits.checks.data.splits import Inspection, Split, inspect_split
from mmdet_digits.checks.data.structure import (
    LISTS,
    check_structure,
    has_areas,
    read_annotation_file,
    read_table,
)
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.coco.categories import map_categories
from mmdet_digits.coco.files import CATEGORIES, unlabelled_coco
from mmdet_digits.coco.structure import fit_categories
from mmdet_digits.converters.linking import Plan, build
from mmdet_digits.errors import InputError
from mmdet_digits.repository import tool_command

CHANGES = 'changes.json'
MOST_LOST = 0.01  # share of the images or boxes that a repair leaves out without being asked
LOST = {  # how the changes begin that leave something out
    'images': ('image removed', 'entry of images removed'),
    'boxes': ('box removed', 'entry of annotations removed'),
}
STANDS_ELSEWHERE = ('it stands twice', 'its boxes were moved there')


@dataclass
class RepairedSplit:
    """One split, repaired.

    Args:
        coco: its annotation file.
        images: where its images come from.
        changes: what was changed.
        total: number of its ``'images'`` and ``'boxes'`` before.
    """

    coco: dict
    images: RepairedImages
    changes: list[Change]
    total: dict[str, int]


def repair_dataset(
    splits: Mapping[str, Split],
    out_dir: Path,
    workers: int | None = None,
    advance: Callable[[], None] = lambda: None,
    skip_bad: bool = False,
    known: Mapping[str, ImageFacts] | None = None,
) -> list[Change]:
    """Write repaired copies of annotation files, with links to their images.

    Images that ``'train'`` shares with another split are removed from train.

    Args:
        splits: split per name; the names become ``train.json`` and ``train/`` in ``out_dir``.
        out_dir: folder to make; it may not exist.
        workers: threads that decode and write images (None: one per CPU).
        advance: called after each image.
        skip_bad: leave out what cannot be repaired, even if that is more than ``MOST_LOST``.
        known: what image files are that were decoded before, by path.

    Returns:
        Every change, as written to ``changes.json``.

    Raises:
        InputError: the folder exists, a file is no COCO file of digits, or too little of it would
            be left. Nothing is written then.
    """
    out_dir = Path(out_dir)
    check_new(out_dir)
    repaired = {
        name: _repair_split(name, split, workers, advance, known) for name, split in splits.items()
    }
    if 'train' in repaired:
        _drop_shared(repaired)
    for name, split in splits.items():
        _check_left(repaired[name], split)
        if not skip_bad:
            _check_loss(repaired[name], split)
    plan = Plan()
    for name, split in splits.items():
        if split.ann_file:
            plan.files[f'{name}.json'] = json.dumps(repaired[name].coco) + '\n'
        _plan_images(plan, name, repaired[name], split.image_dir)
    changes = [change for split in repaired.values() for change in split.changes]
    plan.files[CHANGES] = json.dumps([asdict(change) for change in changes], indent=1) + '\n'
    build(out_dir, plan, next(iter(splits.values())).image_dir, workers)
    return changes


def check_new(out_dir: Path) -> None:
    """Raise InputError if there is something where a repaired copy is to be written."""
    if out_dir.exists() or out_dir.is_symlink():
        found = 'a folder' if out_dir.is_dir() else 'a file or a link'
        what = f'{out_dir}: already there; nothing was written.'
        raise InputError(what, found, 'the name of a new folder', 'name another one')


def _repair_split(
    name: str,
    split: Split,
    workers: int | None,
    advance: Callable[[], None],
    known: Mapping[str, ImageFacts] | None,
) -> RepairedSplit:
    if split.ann_file is None:
        return _repair_unlabelled(name, inspect_split(split, True, workers, advance, known))
    raw = split.coco
    if raw is None:
        raw, check = read_annotation_file(split.ann_file)
        _require(check, split)
    _require(check_structure(raw, split.images_only), split)
    _require(image_folder(split.image_dir), split)
    coco, changes = repair_values({key: [] for key in LISTS} | raw, name)
    _require(check_structure(coco), split)  # an entry is left
    coco, changed = _choose_categories(coco, name, split)
    changes += changed
    total = {'images': len(raw['images']), 'boxes': len(coco['annotations'])}
    total['boxes'] += sum(change.what.startswith(LOST['boxes']) for change in changes)
    coco, changed = convert_boxes(coco, name, split, has_areas(raw))
    found = inspect_split(replace(split, coco=coco), True, workers, advance, known)
    images = repair_images(coco['images'], found, name)
    ids = map_categories(coco['categories'], str(split.ann_file))
    boxes, repaired = repair_annotations(coco['annotations'], images, ids, name)
    changes += changed + images.changes + repaired
    lists = {'images': images.entries, 'annotations': boxes, 'categories': CATEGORIES}
    if 'annotations' not in raw:
        del lists['annotations'], coco['annotations']
    return RepairedSplit(coco | lists, images, changes, total)


def _repair_unlabelled(name: str, found: Inspection) -> RepairedSplit:
    """Test images that have no annotation file."""
    paths = [Path(file) for file in found.match.files.values()]
    entries = unlabelled_coco(paths, found.table.sizes.tolist())['images']
    images = repair_images(entries, found, name)
    total = {'images': len(entries), 'boxes': 0}
    return RepairedSplit({'images': images.entries}, images, images.changes, total)


def _choose_categories(coco: dict, name: str, split: Split) -> tuple[dict, list[Change]]:
    """Leave out the categories that are no digits, with their boxes if they are to be ignored."""
    categories = read_table(coco)[0].categories
    _require(category_ids(categories), split)
    chosen, _ = fit_categories(
        coco | {'categories': categories}, split.ann_file, ignore_classes=split.ignore_classes
    )
    kept = set(map(id, chosen['annotations']))
    changes = [
        Change(name, 'box left out: its class is ignored', box, None, box['image_id'], box['id'])
        for box in coco['annotations']
        if id(box) not in kept
    ]
    if coco['categories'] != CATEGORIES:
        what = 'categories put in order'
        changes.append(Change(name, what, coco['categories'], CATEGORIES))
    return chosen, changes


def convert_boxes(
    coco: dict, name: str, split: Split, areas_given: bool
) -> tuple[dict, list[Change]]:
    """Convert boxes that are proved to be fractions, or corners, to what COCO has.

    Args:
        coco: a COCO file with sound ids; not changed.
        name: name of the split, for the changes.
        split: where it is from, for the message.
        areas_given: whether it came with areas.

    Raises:
        InputError: they are no x, y, width and height in pixels, and could be several things.
    """
    table = replace(read_table(coco)[0], areas_given=areas_given)
    form = find_form(table)
    if form is None:
        return coco, []
    if len(form.names) != 1:
        _require(form_of_boxes(table)[0], split)
    sizes = dict(zip(table.image_ids.tolist(), table.sizes, strict=True))
    boxes, changes = [], []
    for box in coco['annotations']:
        bbox, size = as_boxes([box.get('bbox')])[0], sizes.get(box['image_id'])
        if size is not None and size.all() and not np.isnan(bbox).any():
            before, (bbox,) = box, form.convert(bbox, size[None]).tolist()
            box = box | {'bbox': bbox, 'area': round(bbox[2] * bbox[3], DECIMALS)}
            what = f'box converted: it was {form}'
            changes.append(Change(name, what, before, box, box['image_id'], box['id']))
        boxes.append(box)
    return coco | {'annotations': boxes}, changes


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
    boxes = [box for box in train.coco.get('annotations', ()) if box['image_id'] in ids]
    train.coco = train.coco | {'images': left, 'annotations': boxes}


def _check_left(repaired: RepairedSplit, split: Split) -> None:
    if not repaired.coco['images']:
        what = f'{split.source}: a repair would leave no image; nothing was written.'
        fix = f'correct what is wrong with all of them: {tool_command("check_data")} says what'
        lost = [change for change in repaired.changes if change.what.startswith(LOST['images'])]
        raise InputError(what, _reasons(lost), 'at least one sound image', fix)


def _check_loss(repaired: RepairedSplit, split: Split) -> None:
    """Raise InputError if more is left out than may be without being asked for."""
    for kind, starts in LOST.items():
        lost = [change for change in repaired.changes if change.what.startswith(starts)]
        lost = [change for change in lost if not change.what.endswith(STANDS_ELSEWHERE)]
        total = repaired.total[kind]
        if len(lost) > MOST_LOST * total:
            raise InputError(
                f'{split.source}: a repair would leave out {len(lost):,} of {total:,} {kind}; '
                'nothing was written.',
                _reasons(lost),
                f'at most {MOST_LOST:.0%}',
                f'correct the cause first ({tool_command("check_data")} shows it), or add '
                '--skip-bad to leave them out',
            )


def _reasons(changes: list[Change]) -> str:
    """Why things were removed, the most frequent first."""
    counts = Counter(change.what for change in changes if change.after is None)
    return '; '.join(f'{what} ({count:,} times)' for what, count in counts.most_common(3))


def _plan_images(plan: Plan, name: str, repaired: RepairedSplit, folder: Path) -> None:
    """Plan per image of a split a link or a new file."""
    images = repaired.images
    for image in repaired.coco['images']:
        source = Path(folder, images.sources[image['id']]).resolve()
        path = f'{name}/{image["file_name"]}'
        if image['id'] in images.rewritten:
            plan.made[path] = partial(encode_plainly, source, images.rewritten[image['id']])
        else:
            plan.links[path] = source
