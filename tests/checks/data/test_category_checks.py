import pytest
from check_samples import make_box, make_coco, table_of

from mmdet_digits.checks.data.categories import check_categories, compare_categories
from mmdet_digits.coco.files import CATEGORIES

REVERSED = CATEGORIES[::-1]
SVHN = [{'id': number, 'name': str(number)} for number in range(1, 11)]


PLATE = {'id': 11, 'name': 'plate'}


def check(categories, digit=1, **options):
    """The checks of a file with these categories and a box of one of them."""
    coco = make_coco(images=1) | {'categories': categories}
    coco['annotations'] = [make_box(1, 1, [4, 3, 8, 14], digit)]
    return check_categories(table_of(coco), 'train.json', **options)


@pytest.mark.parametrize(
    ('categories', 'digit', 'expected'),
    [
        (CATEGORIES, 1, ['ok', 'ok', 'ok']),
        (REVERSED, 1, ['ok', 'ok', 'warn']),
        (SVHN, 1, ['ok', 'ok', 'warn']),
        (CATEGORIES[:9], 1, ['warn', 'ok', 'warn']),
        ([*CATEGORIES, PLATE], 1, ['warn', 'ok', 'warn']),
        ([*CATEGORIES, PLATE], 10, ['fail', 'ok', 'warn']),
        ([*CATEGORIES[:9], {'id': 10, 'name': '8'}], 1, ['fail', 'ok', 'warn']),
        ([{'id': 1, 'name': c['name']} for c in CATEGORIES], 1, ['ok', 'fail', 'warn']),
    ],
)
def test_names_ids_and_order(categories, digit, expected):
    _, checks = check(categories, digit)
    assert [str(check.status) for check in checks] == expected


def test_a_class_that_is_ignored_goes_with_its_boxes():
    table, (names, *_) = check([*CATEGORIES, PLATE], 10, ignore_classes=['plate'])
    assert names.found == 'categories left out, with their boxes: plate (1)'
    assert (len(table.ann_ids), table.categories) == (0, CATEGORIES)
    _, (names, *_) = check([*CATEGORIES, PLATE], 10)
    assert names.found.startswith(
        "categories that are none of the classes, and have boxes: 'plate'"
    )
    assert '--ignore-classes plate' in names.fix


def test_both_lists_are_shown():
    _, (names, _, order) = check(REVERSED[:9])
    assert names.found == 'no category, and so no box, of 0'
    assert '0, 1, 2, 3, 4, 5, 6, 7, 8, 9' in names.expected
    assert order.found.startswith('10=9, 9=8')
    assert '1=0, 2=1, 3=2' in order.expected and 'swap labels' in order.expected


def test_splits_in_another_order_are_said():
    same = compare_categories({'train': CATEGORIES, 'valid': CATEGORIES})
    assert same.status == 'ok'
    other = compare_categories({'train': CATEGORIES, 'valid': SVHN, 'test': CATEGORIES})
    assert other.status == 'warn'
    assert 'train: 1=0, 2=1' in other.found and 'valid: 1=1, 2=2' in other.found
