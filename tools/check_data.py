"""Check a data set: its annotation files, its images, and its splits against each other.

The exit status is 1 if a check fails. With --fix a repaired copy is written, never in place, and
the exit status is that of the copy. What is proved is corrected: boxes of images that were enlarged
or reduced, boxes as fractions or corners, sizes, ids. What cannot be corrected is left out if it is
little (1 % of the images or boxes, or all with --skip-bad); else nothing is written.

With --against, images without labels are compared with the first split: their shape, and, where
tools/predict.py has read them, size and place of their digits. A detector that has learnt from
tightly cropped images misses much in others, and a split of those it has learnt from does not show
it. Best predict by a checkpoint trained on this data set.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from mmdet_digits.checks.data import Split, check_splits, find_splits, repair_dataset
from mmdet_digits.checks.data.cropping import (
    Crops,
    annotated_crops,
    compare_crops,
    predicted_crops,
)
from mmdet_digits.checks.data.repair import check_new
from mmdet_digits.checks.data.splits import (
    Inspection,
    checks_of,
    inspect_split,
    known_images,
    split_name,
)
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.cli import add_ignore_classes, positive, run_tool
from mmdet_digits.errors import Interrupted
from mmdet_digits.evaluation.assembly_files import choose_assembly
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.files import check_folder, check_outputs, check_writable
from mmdet_digits.progress import image_progress
from mmdet_digits.repository import DATA_ROOT
from mmdet_digits.visualization.check_report import count_checks, print_report

CROPS = 'images to be read'


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
    parser.add_argument(
        '--against', type=Path, metavar='IMAGES', help='folder of images that are to be read'
    )
    parser.add_argument(
        '--predictions', metavar='PRED', help='pred.json of tools/predict.py on that folder'
    )
    parser.add_argument('--figure', type=Path, metavar='PNG', help='draw how they differ')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier PNG')
    parser.add_argument('--json', action='store_true', help='print JSON for machines')
    parser.add_argument(
        '--workers', type=positive, metavar='N', help='threads (default: one per CPU)'
    )
    args = parser.parse_args()
    if args.ann_file and not args.images:
        parser.error('found ANN without IMAGES, expected both or neither')
    if args.predictions and not args.against:
        parser.error('found --predictions without --against, the images that they are of')
    if args.figure and not args.predictions:
        parser.error('found --figure without --predictions, which it shows')
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
    unlabelled = read_unlabelled(args) if args.against else None
    found = {
        name: inspect_split(split, args.decode, args.workers, advance)
        for name, split in splits.items()
    }
    groups = checks_of(found)
    if unlabelled:
        groups[CROPS] = compare(args, next(iter(found.values())), unlabelled)
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


def read_unlabelled(args: argparse.Namespace) -> Crops:
    """Measure the images of --against, with the digits of --predictions."""
    check_folder(args.against, 'the images to be read')
    if args.figure:
        check_outputs([args.figure], args.overwrite, inputs=[args.predictions])
    table = inspect_split(Split(None, args.against)).table
    if not args.predictions:
        return annotated_crops(table)
    assembly, _ = choose_assembly(None, args.predictions)
    predictions = read_predictions(args.predictions)
    detections = predictions.to_detections(table.image_ids, args.against)
    return predicted_crops(table.sizes, detections, assembly)


def compare(args: argparse.Namespace, first: Inspection, unlabelled: Crops) -> list[Check]:
    """Compare the images of --against with those of the first split, and draw it if asked."""
    if first.table is None:
        return []
    labelled = annotated_crops(first.table)
    if args.figure and len(labelled.digit_heights) and len(unlabelled.digit_heights):
        from mmdet_digits.visualization.crop_figure import save_crop_figure  # half a second

        save_crop_figure(args.figure, labelled, unlabelled, str(args.against))
    return compare_crops(labelled, unlabelled)


def print_checks(groups: Mapping[str, list[Check]], as_json: bool) -> None:
    """Print the checks as a table, or as a JSON list."""
    if as_json:
        rows = [{'split': name} | c.as_dict() for name, checks in groups.items() for c in checks]
        print(json.dumps(rows, indent=1))
        return
    brief = [name for name in groups if name != CROPS]
    print_report([(name, check) for name, checks in groups.items() for check in checks], brief)


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
