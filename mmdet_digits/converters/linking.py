"""Link a dataset in the HW2 format to where the configs look for it, split if it has to be.

The HW2 format: folders ``train/ valid/ test/`` with images beside ``train.json valid.json`` and,
where the test images have labels, ``test.json``.
"""

import glob
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mmdet_digits.coco.files import num_images, split_coco
from mmdet_digits.coco.folders import FIX, SPLITS, FolderError, describe
from mmdet_digits.coco.structure import leads_out, name_problem, read_coco, shortened
from mmdet_digits.durable_files import part_of, remove_parts
from mmdet_digits.files import check_folder, write_file
from mmdet_digits.repository import tool_command


@dataclass(frozen=True)
class LinkedSplit:
    """One split of a linked dataset.

    Args:
        split: ``'train'``, ``'valid'`` or ``'test'``.
        images: number of images: those of the JSON, or else the files of the folder.
        boxes: number of boxes; None where there are no labels.
        origin: where its images come from, in words.
    """

    split: str
    images: int
    boxes: int | None
    origin: str


@dataclass
class Plan:
    """What is to be at the target.

    Args:
        links: name to what it links to.
        files: name to content.
        made: name to what makes the content, one file at a time.
        splits: what that is per split.
        notes: what is to be said about it.
    """

    links: dict[str, Path] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    made: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    splits: list[LinkedSplit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def link_dataset(
    source: Path,
    out: Path,
    parts: Mapping[str, str | None] | None = None,
    seed: int = 0,
    ignore_classes: Sequence[str] = (),
) -> tuple[list[LinkedSplit], list[str]]:
    """Make links at ``out`` to a dataset in the HW2 format.

    Splits that ``source`` has are linked as whole folders. Where ``parts`` takes images from train,
    the folders that share them are real ones with a link per image, so that ``valid/`` holds the
    images of ``valid.json`` and no others.

    Args:
        source: Folder with at least ``train/`` and ``train.json``.
        out: Folder for the links; must be empty or not exist. An earlier link of the same source
            with the same split is left as it is.
        parts: How much of train becomes ``'valid'`` and ``'test'``: a number of images (``'200'``)
            or a fraction (``'0.1'``); None takes nothing.
        seed: Seed of the split.
        ignore_classes: Names of categories to leave out with their boxes; the annotation files at
            ``out`` are then written, not linked.

    Returns:
        What stands at ``out`` per split, and what is to be said about it, in words.

    Raises:
        InputError: An amount or an annotation file is wrong.
        FolderError: Something is missing in ``source``, ``out`` is in use, or the system refuses
            links. Nothing is changed then.
    """
    source, out = Path(source).resolve(), Path(out)
    parts = {split: amount for split, amount in (parts or {}).items() if amount is not None}
    plan = _plan(source, parts, seed, ignore_classes)
    if not _stands(out, plan):
        check_unused(out)
        build(out, plan, source)
    return plan.splits, plan.notes


def _plan(source: Path, parts: dict[str, str], seed: int, ignore: Sequence[str]) -> Plan:
    own = _own_splits(source, parts)
    plan = Plan()
    if parts:
        own.remove('train')
        _plan_parts(plan, source, parts, seed, ignore)
    for split in own:
        plan.links[split] = source / split
        boxes, name = None, f'{split}.json'
        if (source / name).is_file():
            say, images_only = plan.notes.append, split == 'test'
            coco = read_coco(source / name, ignore_classes=ignore, images_only=images_only, say=say)
            images, boxes = len(coco['images']), len(coco['annotations']) or None
            if ignore:
                plan.files[name] = json.dumps(coco) + '\n'
            else:
                plan.links[name] = source / name
        else:
            images = sum(path.is_file() for path in (source / split).iterdir())
        plan.splits.append(LinkedSplit(split, images, boxes, f'{split}/'))
    plan.splits.sort(key=lambda linked: SPLITS.index(linked.split))
    return plan


def _own_splits(source: Path, parts: dict[str, str]) -> list[str]:
    """The splits of a source; raises `FolderError` naming all that lack or stand in the way."""
    check_folder(source, 'the folder that holds train/ and train.json')
    has = {name for s in SPLITS for name in (s, f'{s}.json') if (source / name).exists()}
    for split in parts:
        taken = sorted({split, f'{split}.json'} & has)
        if taken:
            raise FolderError(
                f'{source} has {" and ".join(taken)} of its own.',
                f'--{split} {parts[split]}',
                f'no --{split}: it takes images from train for a {split} set that is missing',
                f'leave out --{split}',
            )
    needed = ['train', 'train.json'] + ['valid', 'valid.json'] * ('valid' not in parts)
    needed += ['test'] * ('test.json' in has)
    missing = [name for name in needed if name not in has]
    if not missing:
        return [split for split in SPLITS if split in has]
    names = ', '.join(name if '.' in name else f'{name}/' for name in missing)
    fix = 'name the files and folders so, or give the folder that holds them'
    if missing == ['valid', 'valid.json']:
        fix = (
            'add --valid 0.1 to take a tenth of the train images for it, at random (or --valid '
            '200: that many; likewise --test; --seed N for another draw)'
        )
    raise FolderError(
        f'{source} lacks {names}.',
        describe(source),
        'train/ valid/ train.json valid.json, and test/ if there is one',
        fix,
    )


def _plan_parts(
    plan: Plan, source: Path, parts: dict[str, str], seed: int, ignore: Sequence[str]
) -> None:
    """Plan the splits that share the train images."""
    coco = read_coco(source / 'train.json', ignore_classes=ignore, say=plan.notes.append)
    _check_file_names(source, coco)
    total = len(coco['images'])
    counts = {split: num_images(amount, total) for split, amount in parts.items()}
    for split, part in split_coco(coco, counts, seed).items():
        for image in part['images']:
            name = image['file_name']
            plan.links[f'{split}/{name}'] = source / 'train' / name
        plan.files[f'{split}.json'] = json.dumps(part) + '\n'
        images, boxes = len(part['images']), len(part['annotations'])
        plan.splits.append(LinkedSplit(split, images, boxes, f'{images} of {total} in train/'))
    listed = {(source / 'train' / image['file_name']) for image in coco['images']}
    suffixes = {path.suffix for path in listed}
    found = (path for path in (source / 'train').rglob('*') if path.suffix in suffixes)
    unlisted = sorted(set(found) - listed)
    if unlisted:
        plan.notes.append(
            f'Left out, as train.json does not list them: {len(unlisted)} of the images in '
            f'{source / "train"}, the first is {unlisted[0].name}.'
        )


def _check_file_names(source: Path, coco: dict) -> None:
    """Refuse file names that are missing, stand twice or cannot be used."""
    names = [str(image['file_name']) for image in coco['images']]
    twice = [name for name, count in Counter(names).items() if count > 1]
    outside = [name for name in names if leads_out(name)]
    unusable = [name for name in names if name_problem(name)]
    missing = [] if unusable else [n for n in names if not (source / 'train' / n).is_file()]
    for what, bad in (
        ('stand for several images', twice),
        ('lead out of train/', outside),
        ('cannot be those of files', unusable),
        ('are not in train/', missing),
    ):
        if bad:
            raise FolderError(
                f'{source / "train.json"}: {len(bad)} of {len(names)} file names {what}.',
                f'the first is {shortened(bad[0] if bad[0].isprintable() else repr(bad[0]))}',
                'each the name of another file in train/',
                f'put the file or the JSON right; {tool_command("check_data")} shows what is meant',
            )


def _stands(out: Path, plan: Plan) -> bool:
    """Whether ``out`` holds exactly the links and files of a plan already."""
    return all(
        (out / name).exists() and (out / name).samefile(target)
        for name, target in plan.links.items()
    ) and all(
        (out / name).is_file() and (out / name).read_text(encoding='utf-8') == text
        for name, text in plan.files.items()
    )


def check_unused(out: Path) -> None:
    """Raise FolderError unless a folder is empty or does not exist."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise FolderError(
            f'{out} is in use; nothing was changed.', describe(out), 'an empty folder, or none', FIX
        )


def build(out: Path, plan: Plan, source: Path, workers: int | None = None) -> None:
    """Build everything in a folder beside ``out``, then give it its name.

    Args:
        out: a folder that is empty or does not exist.
        plan: what is to be there.
        source: what it links to, for the message.
        workers: threads that make files (None: one per CPU).

    Raises:
        FolderError: the system refuses. Nothing is changed then.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(out.parent, f'*.{glob.escape(out.name)}')
    part = part_of(out)
    try:
        part.mkdir()
        for parent in {(part / name).parent for name in (*plan.links, *plan.made)}:
            parent.mkdir(parents=True, exist_ok=True)
        for name, target in plan.links.items():
            _link(part / name, target)
        _write_made({part / name: make for name, make in plan.made.items()}, workers)
        for name, text in plan.files.items():
            write_file(part / name, text)
        if out.exists():
            out.rmdir()  # empty: it was checked
        part.rename(out)
    except OSError as error:
        raise FolderError(
            f'The links in {out} could not be made; nothing was changed.',
            error.strerror or str(error),
            'a disk that allows links',
            f'name a folder on another disk, best on that of {source}',
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)  # removes links, not what they link to


def _write_made(made: Mapping[Path, Callable[[], bytes]], workers: int | None) -> None:
    """Make and write files, as many at a time as there are threads."""
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        for _ in pool.map(lambda path: write_file(path, made[path]()), made):
            pass
    finally:
        pool.shutdown(cancel_futures=True)  # at once when interrupted


def _link(link: Path, target: Path) -> None:
    """Make a symbolic link, or a hard link where a file's symbolic link is refused."""
    try:
        link.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        if target.is_dir():
            raise
        link.hardlink_to(target)
