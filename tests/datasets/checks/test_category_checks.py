import pytest

from mmdet_digits.datasets.checks.categories import check_categories, compare_categories
from mmdet_digits.datasets.coco_files import CATEGORIES

REVERSED = CATEGORIES[::-1]
SVHN = [{'id': number, 'name': str(number)} for number in range(1, 11)]


def statuses(categories):
    return [str(check.status) for check in check_categories(categories)]


@pytest.mark.parametrize(
    ('categories', 'expected'),
    [
        (CATEGORIES, ['ok', 'ok', 'ok']),
        (REVERSED, ['ok', 'ok', 'warn']),
        (SVHN, ['ok', 'ok', 'warn']),
        (CATEGORIES[:9], ['fail', 'ok', 'warn']),
        ([*CATEGORIES, {'id': 11, 'name': 'plate'}], ['fail', 'ok', 'warn']),
        ([{'id': 1, 'name': c['name']} for c in CATEGORIES], ['ok', 'fail', 'warn']),
        ([], ['fail', 'ok', 'warn']),
    ],
)
def test_names_ids_and_order(categories, expected):
    assert statuses(categories) == expected


def test_both_lists_are_shown():
    names, _, order = check_categories(REVERSED[:9])
    assert names.found.startswith('10=9, 9=8') and '0, 1, 2, 3, 4, 5, 6, 7, 8, 9' in names.expected
    assert '1=0, 2=1, 3=2' in order.expected and 'swap labels' in order.expected


def test_splits_in_another_order_are_said():
    same = compare_categories({'train': CATEGORIES, 'valid': CATEGORIES})
    assert same.status == 'ok'
    other = compare_categories({'train': CATEGORIES, 'valid': SVHN, 'test': CATEGORIES})
    assert other.status == 'warn'
    assert 'train: 1=0, 2=1' in other.found and 'valid: 1=1, 2=2' in other.found
