"""Check a data set: its annotation files, its images, and its splits against each other.

The exit status is 1 if a check fails. With --fix a repaired copy is written, never in place, and
the exit status is that of the copy. What is proved is corrected: boxes of images that were enlarged
or reduced, boxes as fractions or corners, sizes, ids. What cannot be corrected is left out if it is
little (1 % of the images or boxes, or all with --skip-bad); else nothing is written.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from mmdet_digits.checks.data import Split, check_splits, find_splits, repair_dataset
from mmdet_digits.checks.data.repair import check_new
from mmdet_digits.checks.data.splits import (
    checks_of,
    inspect_split,
    known_images,
    split_name,
)
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.cli import add_ignore_classes, positive, run_tool
from mmdet_digits.errors import Interrupted
from mmdet_digits.files import check_writable
from mmdet_digits.progress import image_progress
from mmdet_digits.repository import DATA_ROOT
from mmdet_digits.visualization.check_report import count_checks, print_report


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('ann_file', nargs='?', type=Path, metavar='ANN', help='one COCO file')
    parser.add_argument('images', nargs='?', type=Path, metavar='IMAGES', help='its image folder')
    parser.add_argument(
        '--data-root',
        type=Path,
        default=Path(os.environ.get('DIGITS_DATA_ROOT', DATA_ROOT)),
        metavar='DIR',
        help='folder with train.json and train/, likewise valid and test (default: data/digits)',
    )
    parser.add_argument(
        '--decode',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='decode every image (default), or read their headers only',
    )
    parser.add_argument('--fix', type=Path, metavar='OUT', help='write a repaired copy to OUT')
    parser.add_argument(
        '--skip-bad',
        action='store_true',
        help='with --fix: leave out what cannot be repaired, however much it is',
    )
    add_ignore_classes(parser)
    parser.add_argument('--json', action='store_true', help='print JSON for machines')
    parser.add_argument(
        '--workers', type=positive, metavar='N', help='threads (default: one per CPU)'
    )
    args = parser.parse_args()
    if args.ann_file and not args.images:
        parser.error('found ANN without IMAGES, expected both or neither')
    return args


def splits_of(args: argparse.Namespace) -> Mapping[str, Split]:
    """The splits that the command line names."""
    if args.ann_file:
        ignored = tuple(args.ignore_classes)
        split = Split(args.ann_file, args.images, ignore_classes=ignored, images_only=True)
        return {split_name(args.ann_file): split}
    return find_splits(args.data_root, args.ignore_classes)


def run(args: argparse.Namespace, console: Console, advance: Callable[[], None]) -> int:
    """Check, repair if asked, print; returns the exit status."""
    splits = splits_of(args)
    if args.fix:
        check_new(args.fix)
        check_writable(args.fix.parent)
    found = {
        name: inspect_split(split, args.decode, args.workers, advance)
        for name, split in splits.items()
    }
    groups = checks_of(found)
    print_checks(groups, args.json)
    if args.fix:
        known = known_images(found.values()) if args.decode else {}
        del found
        changes = repair_dataset(splits, args.fix, args.workers, advance, args.skip_bad, known)
        copies = {
            name: Split(
                split.ann_file and args.fix / f'{name}.json',
                args.fix / name,
                images_only=split.images_only,
            )
            for name, split in splits.items()
        }
        groups = check_splits(copies)
        summary = count_checks(check for checks in groups.values() for check in checks)
        listed = args.fix / 'changes.json'
        text = f'{args.fix}: repaired copy, {len(changes):,} changes in {listed}; now {summary}.'
        console = Console(stderr=True, markup=False) if args.json else console
        console.print(text, soft_wrap=True)
    return int(any(c.status is Status.FAIL for checks in groups.values() for c in checks))


def print_checks(groups: Mapping[str, list[Check]], as_json: bool) -> None:
    """Print the checks as a table, or as a JSON list."""
    if as_json:
        rows = [{'split': name} | c.as_dict() for name, checks in groups.items() for c in checks]
        print(json.dumps(rows, indent=1))
        return
    print_report([(name, check) for name, checks in groups.items() for check in checks], groups)


def main() -> int:
    """Run; returns the exit status."""
    args = parse_args()
    there = args.fix and args.fix.exists()
    progress = image_progress(Console(stderr=True, markup=False))
    task = progress.add_task('images', total=None)
    try:
        with progress:
            return run(args, Console(markup=False), lambda: progress.advance(task))
    except KeyboardInterrupt as stop:
        written = args.fix and not there and args.fix.exists()
        what = f'{args.fix} is complete, and was not checked' if written else 'nothing was written'
        raise Interrupted(f'Interrupted: {what}.', 130) from stop


if __name__ == '__main__':
    run_tool(main)
