"""YOLO data sets of several splits, as Ultralytics, Roboflow and Label Studio lay them out."""

import argparse
import json
import os
import shlex
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from mmdet_digits.coco.files import count_coco
from mmdet_digits.coco.folders import FIX, SPLITS, FolderError, describe
from mmdet_digits.converters.command_line import read_records, remarks, say, summary_table
from mmdet_digits.converters.image_sizes import ImageSizes
from mmdet_digits.converters.linking import Plan, build
from mmdet_digits.converters.records import DigitRecords
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_folder, check_writable, is_image_name
from mmdet_digits.repository import tool_command

#: What the folders of a split are called.
FOLDERS = {
    'train': ('train', 'training'),
    'valid': ('valid', 'val', 'validation'),
    'test': ('test',),
}
EXPECTED = 'train/images and train/labels, or images/train and labels/train; likewise valid or val'


@dataclass(frozen=True)
class YoloSplit:
    """The folders of one split.

    Args:
        images: folder of its images.
        labels: folder of its text files; None where there is none, as for a test set.
    """

    images: Path
    labels: Path | None


def find_splits(root: Path) -> dict[str, YoloSplit]:
    """Find the splits of a data set, of ``'train'``, ``'valid'`` and ``'test'``.

    Args:
        root: holds ``train/images`` and ``train/labels``, or ``images/train`` and ``labels/train``,
            and so on; or ``images`` and ``labels`` alone, which are ``'train'``.

    Raises:
        InputError: none is there, one is there twice, or its labels are missing.
    """
    check_folder(root, 'the folder that holds train/images or images/train')
    found = {}
    for split, names in FOLDERS.items():
        pairs = [pair for name in names for pair in (f'{name}/{{}}', f'{{}}/{name}')]
        there = [pair for pair in pairs if (root / pair.format('images')).is_dir()]
        if len(there) > 1:
            raise InputError(
                f'{root}: several folders of {split} images.',
                ', '.join(pair.format('images') for pair in there),
                'one',
                'move the others away, or give two folders, images and labels, of one split',
            )
        if there:
            found[split] = there[0]
    if not found and _has_images(root / 'images'):
        found['train'] = '{}'
    if not found:
        raise InputError(
            f'{root}: no split of a YOLO data set in it.',
            describe(root),
            EXPECTED,
            'give the folder that holds them, or two folders, images and labels, of one split',
        )
    return {split: _split(root, split, pair) for split, pair in found.items()}


def _split(root: Path, split: str, pair: str) -> YoloSplit:
    images, labels = (root / pair.format(kind) for kind in ('images', 'labels'))
    if labels.is_dir():
        return YoloSplit(images, labels)
    if split != 'test':
        raise InputError(
            f'{images} has no labels.',
            f'{describe(labels.parent)} in {labels.parent}',
            f'a folder {labels} with a text file per image',
            'put them there, or give two folders, images and labels, of one split',
        )
    return YoloSplit(images, None)


def _has_images(folder: Path) -> bool:
    return folder.is_dir() and any(is_image_name(path.name) for path in folder.iterdir())


def check_free(out: Path, overwrite: bool) -> list[Path]:
    """Check that a data set can be put at a folder.

    Args:
        out: the folder.
        overwrite: whether an earlier conversion, which is links and annotation files, may be
            replaced.

    Returns:
        What has to be removed then.

    Raises:
        FolderError: it is in use.
    """
    check_writable(out.parent)
    if not (out.exists() or out.is_symlink()):
        return []
    whole = out.is_dir() and not out.is_symlink()
    members = sorted(out.iterdir()) if whole else []
    files = {f'{split}.json' for split in SPLITS}
    earlier = whole and all(
        path.is_symlink() if path.name in SPLITS else path.name in files for path in members
    )
    if earlier and (overwrite or not members):
        return members
    raise FolderError(
        f'{out} is in use; nothing was written.',
        describe(out),
        'an empty folder, or none',
        'add --overwrite to replace this earlier conversion' if earlier else FIX,
    )


def put(out: Path, plan: Plan, earlier: list[Path], source: Path) -> None:
    """Put a data set at a folder; what an earlier conversion left goes when all else is there.

    Args:
        out: the folder.
        plan: what is to be there.
        earlier: what :func:`check_free` found.
        source: what it links to, for messages.
    """
    if not earlier:
        build(out, plan, source)
        return
    fresh = out.with_name(f'.{out.name}.{os.getpid()}.new')
    build(fresh, plan, source)
    for path in fresh.iterdir():
        path.replace(out / path.name)
    fresh.rmdir()
    for path in earlier:
        if path.name not in plan.links.keys() | plan.files.keys():
            path.unlink()


def convert_splits(
    args: argparse.Namespace,
    splits: Mapping[str, YoloSplit],
    open_records: Callable[[YoloSplit], DigitRecords],
) -> None:
    """Convert a data set of several splits, and link its images, to a folder in the HW2 format.

    Args:
        args: arguments of :func:`converter_parser`; ``out`` is a folder.
        splits: its splits.
        open_records: opens one, whose records know the sizes of their images.

    Raises:
        InputError: an argument or a record is wrong; nothing is written then.
    """
    wrong = [f'--out {args.out}'] if args.out.suffix.lower() == '.json' else []
    wrong += [f'--split {args.split}'] if args.split else []
    wrong += [f'--valid-out {args.valid_out}'] if args.valid_out else []
    if wrong:
        raise InputError(
            f'{args.images}: a whole data set is converted to a folder, with the splits it has.',
            ', '.join(wrong),
            '--out FOLDER, and neither --split nor --valid-out',
            'give it so, or give two folders, images and labels, of one split',
        )
    earlier, console, lines = check_free(args.out, args.overwrite), Console(markup=False), []
    plan, counts = Plan(), {}
    for split, folders in splits.items():
        plan.links[split] = folders.images.resolve()
        if folders.labels is None:
            lines.append(f'{split}: no labels; its images are linked.')
            continue
        records = open_records(folders)
        conversion = read_records(args, records, ImageSizes(), console, split)
        path = args.out / f'{split}.json'
        plan.files[path.name] = json.dumps(conversion.coco) + '\n'
        counts[path] = count_coco(conversion.coco, path)
        lines += [f'{split}: {line}' for line in remarks(args, records, conversion, ImageSizes())]
    put(args.out, plan, earlier, args.images)
    console.print(summary_table(counts))
    say(console, [*lines, next_step(args.out, splits)])


def next_step(out: Path, splits: Container[str]) -> str:
    """How to use a folder in the HW2 format that may lack a split."""
    folder = shlex.quote(str(out))
    if 'valid' in splits:
        return f'Next: {tool_command("check_data")} --data-root {folder}'
    other = shlex.quote(f'{out}-split')
    return f'Next: {tool_command("prepare_data")} link {folder} --valid 0.1 --out {other}'
