"""Checks of the categories: against the digits, and of one split against another."""

from collections.abc import Mapping

from mmdet_digits.categories import DIGITS, map_categories
from mmdet_digits.datasets.checks.cases import report
from mmdet_digits.datasets.coco_files import CATEGORIES
from mmdet_digits.utils.checks import Check, Status
from mmdet_digits.utils.errors import InputError

IN_ORDER = ', '.join(f'{category["id"]}={category["name"]}' for category in CATEGORIES)


def check_categories(categories: list[dict]) -> list[Check]:
    """Every check of one list of categories, each with a sound ``id`` and ``name``."""
    return [category_names(categories), category_ids(categories), category_order(categories)]


def category_names(categories: list[dict]) -> Check:
    """Whether the ten digits are there by name, and nothing else."""
    found = _listed(categories)
    try:
        map_categories(categories, '')
    except InputError:
        return Check(
            'category names',
            Status.FAIL,
            found,
            f'the names {", ".join(DIGITS)}, each once, in any order and under any ids',
            'rename the categories in the annotation file',
        )
    return Check('category names', Status.OK, found)


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
    if found == IN_ORDER:
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
