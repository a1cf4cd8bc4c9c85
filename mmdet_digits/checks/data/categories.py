"""Checks of the categories: against the digits, and of one split against another."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmdet_digits.checks.data.structure import CocoTable, report, shown
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.coco.structure import choose_categories
from mmdet_digits.errors import InputError

IN_ORDER = ', '.join(f'{category["id"]}={shown(category["name"])[1:-1]}' for category in CATEGORIES)


def check_categories(
    table: CocoTable, ann_file: Path | str = '', ignore_classes: Sequence[str] = ()
) -> tuple[CocoTable, list[Check]]:
    """Every check of the categories of a file.

    Args:
        table: the file.
        ann_file: its path.
        ignore_classes: names of categories to leave out.

    Returns:
        The file with the categories that are digits, and the annotations of these; and the checks.
    """
    categories = table.categories
    chosen, names = _choose(table, ann_file, ignore_classes)
    return chosen, [names, category_ids(categories), category_order(categories)]


def _choose(
    table: CocoTable, ann_file: Path | str, ignore_classes: Sequence[str]
) -> tuple[CocoTable, Check]:
    """The categories that are digits, and whether there are others or too few."""
    name, boxes = 'category names', Counter(table.category_ids.tolist())
    try:
        _, left_out, notes = choose_categories(
            table.categories, boxes, ann_file, ignore_classes=ignore_classes
        )
    except InputError as error:
        found = f'{error.what.removeprefix(f"{ann_file}: ")} of {error.found}'
        return table, Check(name, Status.FAIL, found, error.expected, error.fix)
    own = [category for category in table.categories if category['id'] not in left_out]
    table = table.without(left_out, own)
    if not notes:
        return table, Check(name, Status.OK, _listed(own))
    expected = f'{", ".join(DIGITS)}, and nothing else'
    return table, Check(name, Status.WARN, '; '.join(notes), expected, 'nothing, if it is meant so')


def category_ids(categories: list[dict]) -> Check:
    """Two categories of one id: their boxes cannot be told apart."""
    ids = [category['id'] for category in categories]
    return report(
        'duplicate category ids',
        [f'{c["id"]}={c["name"]}' for c in categories if ids.count(c['id']) > 1],
        'every id once',
        'give each category an id of its own, and its boxes that id',
    )


def category_order(categories: list[dict]) -> Check:
    """Whether a tool that goes by order or by ids gets the same labels as one that reads names."""
    found = _listed(categories)
    if found == IN_ORDER or not categories:
        return Check('category ids and order', Status.OK, found)
    return Check(
        'category ids and order',
        Status.WARN,
        found,
        f'{IN_ORDER}. Names are what counts here; a tool that goes by the order or the ids '
        'would swap labels',
        'nothing, unless another tool reads this file',
    )


def compare_categories(categories: Mapping[str, list[dict]]) -> Check:
    """Whether all splits give the same ids to the same names, in the same order."""
    listed = {split: _listed(entries) for split, entries in categories.items()}
    if len(set(listed.values())) < 2:
        return Check('categories of the splits', Status.OK, 'the same in ' + ', '.join(listed))
    return Check(
        'categories of the splits',
        Status.WARN,
        '; '.join(f'{split}: {text}' for split, text in listed.items()),
        'the same ids and order in every split. Names are what counts here; a tool that goes '
        'by the order or the ids would swap labels between training and evaluation',
        'nothing, unless another tool reads these files',
    )


def _listed(categories: list[dict]) -> str:
    """Like ``1=0, 2=1, ...``; no more than thirty."""
    shown = [f'{category["id"]}={category["name"]}' for category in categories[:30]]
    return ', '.join(shown) + (', ...' if len(categories) > 30 else '') or 'none'
