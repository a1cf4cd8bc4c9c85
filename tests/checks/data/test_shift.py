import numpy as np
import pytest
from check_samples import make_box, make_coco, table_of
from scipy.stats import chi2_contingency

from mmdet_digits.checks.data.splits import check_shift, class_counts, length_counts, p_value
from mmdet_digits.checks.data.splits import shift as distance

SVHN = np.array([4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659])


def drawn(counts):
    """A table with so many boxes of each digit, each in an image of its own."""
    coco = make_coco(images=int(sum(counts)))
    digits = np.repeat(np.arange(10), counts)
    coco['annotations'] = [
        make_box(number, number, [4, 3, 8, 14], int(digit))
        for number, digit in enumerate(digits, 1)
    ]
    return table_of(coco)


def test_counts():
    table = table_of(make_coco(images=4))
    assert class_counts(table).tolist() == [4, 0, 0, 0, 0, 0, 0, 4, 0, 0]
    assert length_counts(table).tolist() == [0, 0, 4, 0, 0, 0, 0]


def test_p_value_is_scipys():
    first, second = np.array([50, 30, 20]), np.array([30, 40, 30])
    expected = chi2_contingency([first, second]).pvalue
    assert p_value(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('first', 'second', 'expected'),
    [
        ([10, 20], [1, 2], 1.0),
        ([10, 0], [0, 0], 1.0),
        ([0, 0], [0, 0], 1.0),
        ([1, 1, 1], [1, 0, 1], 1.0),  # all too rare to tell
    ],
)
def test_p_value_of_hardly_anything_is_1(first, second, expected):
    assert p_value(np.array(first), np.array(second)) == pytest.approx(expected)


def test_distance_is_the_share_that_would_have_to_change():
    assert distance(np.array([80, 20]), np.array([5, 5])) == pytest.approx(0.3)
    assert distance(np.array([8, 2]), np.array([0, 0])) == 0


@pytest.mark.parametrize(
    ('first', 'second', 'moved'),
    [
        (SVHN // 10, SVHN // 20, False),
        (SVHN // 10, np.roll(SVHN, 5) // 20, True),
        # hardly by chance, and too little to matter
        (np.full(10, 500), np.array([650, *[500] * 8, 350]), False),
        # much, and by chance
        (SVHN // 100, np.array([0, 1, 1, 1, 0, 3, 0, 2, 1, 1]), False),
    ],
)
def test_only_what_is_certain_and_large_is_said(first, second, moved):
    classes, _ = check_shift({'train': drawn(first), 'valid': drawn(second)})
    assert str(classes.status) == ('warn' if moved else 'ok')
    assert classes.found.startswith('train to valid: ')


def test_the_class_that_moved_most_is_named():
    few, many = np.full(10, 20), np.array([*[20] * 9, 400])
    classes, lengths = check_shift({'train': drawn(few), 'test': drawn(many)})
    assert 'most at 9: 10.0% to 69.0%' in classes.found
    assert lengths.status == 'ok'


def test_number_lengths():
    short, long = make_coco(images=300), make_coco(images=300)
    long['annotations'] += [
        box | {'id': 10_000 + box['id'], 'bbox': [20, 3, 8, 14]} for box in long['annotations']
    ]
    classes, lengths = check_shift({'train': table_of(short), 'valid': table_of(long)})
    assert (str(classes.status), str(lengths.status)) == ('ok', 'warn')
    assert '2: 100.0% to 0.0%' in lengths.found
