"""Every check, made on the splits of a data set."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import chdtrc

from mmdet_digits.checks.data.boxes import check_boxes, check_duplicates
from mmdet_digits.checks.data.categories import check_categories, compare_categories
from mmdet_digits.checks.data.files import FileMatch, check_files, shared_names
from mmdet_digits.checks.data.ids import check_ids
from mmdet_digits.checks.data.images import ImageFacts, check_image_files, read_images, same_in_both
from mmdet_digits.checks.data.structure import (
    REPAIR,
    CocoTable,
    has_areas,
    read_annotation_file,
    read_table,
    report,
    shown,
)
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.coco.categories import DIGITS, map_categories
from mmdet_digits.coco.files import unlabelled_coco
from mmdet_digits.coco.folders import SPLITS, describe
from mmdet_digits.coco.structure import choose_categories
from mmdet_digits.coco.values import read_values
from mmdet_digits.errors import InputError
from mmdet_digits.files import image_files
from mmdet_digits.repository import tool_command

# Whether two splits hold the digits and the number lengths in the same proportions.
#
# Two things have to be true before a shift is reported: a chi-square test of homogeneity finds it
# hardly by chance (p < 0.001), and it is large enough to matter (more than 10 % of the split would
# have to change class). With 30,000 images the first is true of the smallest difference, with 20
# images the second is true by chance.

LARGEST_P = 0.001
SMALLEST_SHIFT = 0.1  # half the sum of the absolute differences of the shares
LEAST_EXPECTED = 5  # counts below are put together, as the chi-square test requires
LONGEST = 6  # digits; longer numbers are counted with these


def check_shift(tables: Mapping[str, CocoTable]) -> list[Check]:
    """Compare each split with the first in classes and in number lengths."""
    return [
        _compare(
            'class distribution',
            {split: class_counts(table) for split, table in tables.items()},
            DIGITS,
            'of the boxes',
        ),
        _compare(
            'length distribution',
            {split: length_counts(table) for split, table in tables.items()},
            [str(length) for length in range(LONGEST)] + [f'{LONGEST} or more'],
            'of the images',
        ),
    ]


def class_counts(table: CocoTable) -> np.ndarray:
    """Boxes of each digit (10,); all 0 where the categories are not the digits."""
    try:
        categories, *_ = choose_categories(table.categories, Counter(), '')
        ids = map_categories(categories, '')
    except InputError:
        return np.zeros(len(DIGITS), dtype=int)
    return np.array([(table.category_ids == category_id).sum() for category_id in ids])


def length_counts(table: CocoTable) -> np.ndarray:
    """Images with 0, 1, 2, ... boxes, the last with ``LONGEST`` or more (LONGEST + 1,)."""
    rows = table.image_rows[table.image_rows >= 0]
    lengths = np.bincount(rows, minlength=len(table.image_ids)).clip(max=LONGEST)
    return np.bincount(lengths, minlength=LONGEST + 1)


def p_value(first: np.ndarray, second: np.ndarray) -> float:
    """How likely two splits of one source differ as much as these: a chi-square test.

    Args:
        first: counts per class (K,).
        second: likewise (K,).
    """
    counts = np.stack([first, second]).astype(float)
    if (counts.sum(axis=1) == 0).any():
        return 1.0
    smallest = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    rare = smallest < LEAST_EXPECTED
    counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    counts = counts[:, counts.sum(axis=0) > 0]
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    degrees = counts.shape[1] - 1
    return float(chdtrc(degrees, ((counts - expected) ** 2 / expected).sum())) if degrees else 1.0


def shift(first: np.ndarray, second: np.ndarray) -> float:
    """Total variation distance: the share that would have to change class (0 to 1)."""
    if not first.sum() or not second.sum():
        return 0.0
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def _compare(name: str, counts: Mapping[str, np.ndarray], classes: list[str], unit: str) -> Check:
    (base, of_base), *others = counts.items()
    found, moved = [], False
    for split, of_split in others:
        distance, p = shift(of_base, of_split), p_value(of_base, of_split)
        found.append(f'{base} to {split}: {distance:.1%} {unit} (p = {p:.2g})')
        if distance > SMALLEST_SHIFT and p < LARGEST_P:
            moved = True
            found[-1] += ', most at ' + _largest(of_base, of_split, classes)
    if not moved:
        return Check(name, Status.OK, '; '.join(found))
    expected = f'shares that differ by less than {SMALLEST_SHIFT:.0%} in all, or by chance'
    fix = f'split at random ({tool_command("prepare_data")} link --valid 0.1), unless it is wanted'
    return Check(name, Status.WARN, '; '.join(found), expected, fix)


def _largest(first: np.ndarray, second: np.ndarray, classes: list[str]) -> str:
    """The class whose share changes most, with both shares."""
    shares = first / first.sum(), second / second.sum()
    most = np.argmax(np.abs(shares[0] - shares[1]))
    return f'{classes[most]}: {shares[0][most]:.1%} to {shares[1][most]:.1%}'


#: The group of the checks that compare splits with each other.
BETWEEN = 'between splits'


@dataclass(frozen=True)
class Split:
    """Where the data of one split is.

    Args:
        ann_file: COCO JSON file, plain or gzipped; None for test images without labels.
        image_dir: folder of its images.
        coco: what is in the file, where it was parsed already; None has it read.
        ignore_classes: names of categories to leave out.
        images_only: whether it need not have annotations.
    """

    ann_file: Path | None
    image_dir: Path
    coco: Any = None
    ignore_classes: tuple[str, ...] = ()
    images_only: bool = field(default=False, compare=False)

    @property
    def source(self) -> Path:
        """What to name in a message about it."""
        return self.ann_file or self.image_dir


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found in one split.

    Args:
        split: where it is.
        checks: every check that was made.
        table: what is sound in it; None where it is no COCO file.
        match: how its file names meet the files of the folder.
        facts: what each image file is, by the row of its entry in ``table``.
    """

    split: Split
    checks: list[Check]
    table: CocoTable | None = None
    match: FileMatch = field(default_factory=FileMatch)
    facts: dict[int, ImageFacts] = field(default_factory=dict)


def find_splits(data_root: Path, ignore_classes: Sequence[str] = ()) -> dict[str, Split]:
    """The splits of a folder in the HW2 format: annotation files, and test images without one.

    Args:
        data_root: the folder.
        ignore_classes: names of categories to leave out.

    Raises:
        InputError: there is no annotation file.
    """
    root = Path(data_root)
    ignored = tuple(ignore_classes)
    found = splits_there(
        {
            name: Split(root / f'{name}.json', root / name, None, ignored, name == 'test')
            for name in SPLITS
        }
    )
    if not any(split.ann_file for split in found.values()):
        raise InputError(
            f'{root}: no data set.',
            describe(root) if root.exists() else 'nothing there',
            'train.json beside train/, and the same for valid and test',
            'name another folder, or the annotation file and its image folder',
        )
    return found


def splits_there(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Those of some splits that have an annotation file, or test images that need none."""
    found = {}
    for name, split in splits.items():
        if split.ann_file.exists():
            found[name] = split
        elif split.images_only and split.image_dir.is_dir() and image_files(split.image_dir):
            found[name] = replace(split, ann_file=None, coco=None)
    return found


def split_name(ann_file: Path) -> str:
    """The name of the split that a single annotation file is: ``'valid'`` for ``valid.json.gz``."""
    name = Path(ann_file).name.strip('.').partition('.')[0]
    return name if name not in ('', 'changes') else 'data'  # changes.json is the repair's own


def known_images(inspections: Iterable[Inspection]) -> dict[str, ImageFacts]:
    """What is known of image files, by path."""
    return {
        f'{found.split.image_dir}/{found.match.files[row]}': fact
        for found in inspections
        for row, fact in found.facts.items()
    }


def check_dataset(
    splits: Mapping[str, Split],
    decode: bool = False,
    workers: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Check]:
    """Check every split, and the splits against each other.

    Args:
        splits: split per name. The first is what the others are compared with; the one named
            ``'train'`` may share no image with another.
        decode: decode every image; without it, only the headers of the files are read, and the
            same image in two splits is found by its path alone.
        workers: threads that decode images (None: one per CPU).
        advance: called after each image.

    Returns:
        Every check that was made: those of each split, named like ``'train: duplicate image ids'``,
        then those that compare splits. Never raises for bad data.
    """
    return [
        replace(check, name=f'{group}: {check.name}')
        for group, checks in check_splits(splits, decode, workers, advance).items()
        for check in checks
    ]


def check_splits(
    splits: Mapping[str, Split],
    decode: bool = False,
    workers: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, list[Check]]:
    """Like :func:`check_dataset`, by split; those that compare splits stand under ``BETWEEN``."""
    return checks_of(
        {name: inspect_split(split, decode, workers, advance) for name, split in splits.items()}
    )


def checks_of(inspections: Mapping[str, Inspection]) -> dict[str, list[Check]]:
    """The checks of each split, and under ``BETWEEN`` those that compare them."""
    checks = {name: inspection.checks for name, inspection in inspections.items()}
    compared = compare_splits(inspections)
    return checks | ({BETWEEN: compared} if compared else {})


def inspect_split(
    split: Split,
    decode: bool = False,
    workers: int | None = None,
    advance: Callable[[], None] = lambda: None,
    known: Mapping[str, ImageFacts] | None = None,
) -> Inspection:
    """Look through one split.

    Args:
        split: where it is.
        decode: those of :func:`check_dataset`, as are the next two.
        workers: likewise.
        advance: likewise.
        known: what image files are that were read before, by path.
    """
    if split.ann_file is None:
        return _inspect_unlabelled(split, decode, workers, advance, known or {})
    checks, coco = [], split.coco
    if coco is None:
        coco, check = read_annotation_file(split.ann_file)
        checks.append(check)
        if check.status is Status.FAIL:
            return Inspection(split, checks)
    table, found = check_annotations(coco, split.ann_file, split.ignore_classes, split.images_only)
    checks += found
    if table is None:
        return Inspection(split, checks)
    match, found = check_files(table, split.image_dir)
    paths = {row: f'{split.image_dir}/{name}' for row, name in match.files.items()}
    facts = _read_unknown(paths, known or {}, decode, workers, advance)
    checks += found + check_image_files(table, facts)
    return Inspection(split, checks, table, match, facts)


def _inspect_unlabelled(
    split: Split,
    decode: bool,
    workers: int | None,
    advance: Callable[[], None],
    known: Mapping[str, ImageFacts],
) -> Inspection:
    """Look through test images that have no annotation file."""
    paths = image_files(split.image_dir)
    names = {row: path.name for row, path in enumerate(paths)}
    places = {row: f'{split.image_dir}/{name}' for row, name in names.items()}
    facts = _read_unknown(places, known, decode, workers, advance)
    table, _ = read_table(unlabelled_coco(paths, [fact.size for fact in facts.values()]))
    labels = Check('labels', Status.OK, f'none: the images of {split.image_dir} are predicted only')
    checks = [labels, *check_image_files(table, facts)]
    return Inspection(split, checks, table, FileMatch(names), facts)


def _read_unknown(
    paths: Mapping[int, str],
    known: Mapping[str, ImageFacts],
    decode: bool,
    workers: int | None,
    advance: Callable[[], None],
) -> dict[int, ImageFacts]:
    """What the image file of each row is; each file is read once, and no known one."""
    new = list(dict.fromkeys(path for path in paths.values() if path not in known))
    known = {**known, **dict(zip(new, read_images(new, decode, workers, advance), strict=True))}
    return {row: known[path] for row, path in paths.items()}


def check_annotations(
    coco: Any,
    ann_file: Path | str = '',
    ignore_classes: Sequence[str] = (),
    images_only: bool = False,
) -> tuple[CocoTable | None, list[Check]]:
    """Make every check that needs no image.

    Args:
        coco: the content of an annotation file.
        ann_file: its path.
        ignore_classes: names of categories to leave out.
        images_only: whether it need not have annotations.

    Returns:
        What is sound in it, None where it is no COCO file; and the checks.
    """
    raw, (coco, notes) = coco, read_values(coco) if isinstance(coco, dict) else (coco, [])
    table, checks = read_table(coco, images_only)
    if table is not None:
        table = replace(table, areas_given=has_areas(raw))
        checks.append(values(notes))
        table, found = check_categories(table, ann_file, ignore_classes)
        checks += found
        checks += check_ids(table)
        checks += check_boxes(table)
        checks += check_duplicates(table)
    return table, checks


def values(notes: list[str]) -> Check:
    """What was read though it is not written as COCO has it."""
    if not notes:
        return Check('values', Status.OK, 'written as COCO has them')
    expected = 'numbers and flags as COCO has them; other tools may not read these'
    fix = f'nothing, unless another tool reads this file; {REPAIR} writes them so'
    return Check('values', Status.WARN, '; '.join(notes), expected, fix)


def compare_splits(inspections: Mapping[str, Inspection]) -> list[Check]:
    """Compare the splits that could be read; no check where there are fewer than two."""
    read = {name: found for name, found in inspections.items() if found.table is not None}
    if len(read) < 2:
        return []
    tables = {name: found.table for name, found in read.items() if found.split.ann_file}
    checks = [_shared_images(read, first, second) for first, second in combinations(read, 2)]
    if len(tables) < 2:
        return checks
    categories = compare_categories({name: table.categories for name, table in tables.items()})
    return [categories, *checks, *check_shift(tables)]


def _shared_images(inspections: Mapping[str, Inspection], first: str, second: str) -> Check:
    """Whether two splits hold the same image: by its pixels, or by its path if not decoded."""
    pair = [inspections[first], inspections[second]]
    pixels = same_in_both(pair[0].facts, pair[1].facts)
    if pixels:
        rows = np.array(pixels).T
        texts = [found.table.images(row) for found, row in zip(pair, rows, strict=True)]
        cases = [f'{first} {a} = {second} {b}' for a, b in zip(*texts, strict=True)]
    else:
        folders = [(found.split.image_dir, found.match.files.values()) for found in pair]
        cases = [shown(name)[1:-1] for name in shared_names(*folders)]
    learnt = 'train' in (first, second)
    return report(
        f'same image in {first} and {second}',
        cases,
        'images of its own in each split; a shared one makes the score look better than it is',
        f'remove them from {first}',
        Status.FAIL if learnt else Status.WARN,
        repair='does so' if first == 'train' else '',
    )
