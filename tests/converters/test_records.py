import argparse
import shlex

import numpy as np
import pytest

from mmdet_digits.boxes import clip_boxes
from mmdet_digits.converters.command_line import class_list
from mmdet_digits.converters.records import (
    build_coco,
    digit_of,
    make_record,
)
from mmdet_digits.errors import InputError


class Records:
    """A sequence in which an exception stands for a bad record."""

    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        if isinstance(self.items[index], InputError):
            raise self.items[index]
        return self.items[index]


def record(name='1.png', boxes=((2, 3, 4, 5),), digits=(7,)):
    return make_record(name, boxes, digits, f'record {name}')


def size_of(_):
    return 20, 10


@pytest.mark.parametrize(
    ('box', 'expected'),
    [
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((0, 0, 20, 10), (0, 0, 20, 10)),
        ((-1, -2, 4, 5), (0, 0, 3, 3)),
        ((18, 8, 4, 5), (18, 8, 2, 2)),
        ((-5, -5, 40, 40), (0, 0, 20, 10)),
        ((20, 0, 4, 5), (20, 0, 0, 5)),
        ((0, 12, 4, 5), (0, 12, 4, -2)),
    ],
)
def test_clip_boxes(box, expected):
    np.testing.assert_array_equal(clip_boxes(np.array([box], float), (20, 10)), [expected])


def test_clip_no_boxes():
    assert clip_boxes(np.zeros((0, 4)), (20, 10)).shape == (0, 4)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('0', 0),
        ('9', 9),
        ('10', 0),
        ('9 ', 9),
        ('\t7.0', 7),
        ('10.0', 0),
        ('x', None),
        ('', None),
        ('.0', None),
        ('01', None),
        ('\u200b7', None),
    ],
)
def test_digit_of(name, expected):
    assert digit_of(name) == expected


def test_coco_of_two_images():
    conversion = build_coco(
        Records(record('7.png', [(2, 3, 4, 5), (8, 3, 4, 5.5)], [0, 7]), record('3.png', (), ())),
        size_of,
    )
    assert conversion.coco['images'] == [
        {'id': 7, 'file_name': '7.png', 'width': 20, 'height': 10},
        {'id': 3, 'file_name': '3.png', 'width': 20, 'height': 10},
    ]
    first, second = conversion.coco['annotations']
    assert first == {
        'id': 1,
        'image_id': 7,
        'category_id': 1,
        'bbox': [2.0, 3.0, 4.0, 5.0],
        'area': 20.0,
        'iscrowd': 0,
    }
    assert (second['id'], second['category_id'], second['area']) == (2, 8, 22.0)
    assert (conversion.clipped, conversion.skipped) == (0, [])


@pytest.mark.parametrize(
    ('names', 'ids', 'from_names'),
    [
        (['5.png', '000012.png'], [5, 12], True),
        (['000000.png', '1.png'], [0, 1], True),
        (['1.png', '01.png'], [1, 2], False),
        (['1.png', 'house.png'], [1, 2], False),
        (['².png', '1.png'], [1, 2], False),
    ],
)
def test_image_ids(names, ids, from_names):
    conversion = build_coco(Records(*map(record, names)), size_of)
    assert [image['id'] for image in conversion.coco['images']] == ids
    assert conversion.ids_from_names is from_names


def test_clipping_can_be_left_out():
    crossing = record(boxes=[(-1, 3, 4, 5), (2, 3, 4, 5)], digits=[1, 2])
    cut = build_coco(Records(crossing), size_of)
    kept = build_coco(Records(crossing), size_of, clip=False)
    assert [a['bbox'] for a in cut.coco['annotations']] == [[0, 3, 3, 5], [2, 3, 4, 5]]
    assert cut.coco['annotations'][0]['area'] == 15
    assert cut.clipped == 1
    assert [a['bbox'] for a in kept.coco['annotations']] == [[-1, 3, 4, 5], [2, 3, 4, 5]]
    assert kept.clipped == 0


@pytest.mark.parametrize('clip', [True, False])
def test_a_box_outside_its_image_is_an_error(clip):
    outside = record(boxes=[(2, 3, 4, 5), (20, 3, 4, 5)], digits=[1, 2])
    with pytest.raises(InputError, match=r'1\.png: box 2, \[20, 3, 4, 5\], lies .* of 20 x 10 px'):
        build_coco(Records(outside), size_of, clip=clip)


def test_bad_records_are_all_named_or_left_out():
    records = Records(record('1.png'), InputError('record 2 is bad'), record('1.png'))
    with pytest.raises(InputError) as caught:
        build_coco(records, size_of)
    message = str(caught.value)
    assert '2 of 3 records are wrong' in message
    assert 'record 2 is bad' in message and '1.png stood before' in message
    assert '--skip-bad' in message
    conversion = build_coco(records, size_of, skip_bad=True)
    assert [image['id'] for image in conversion.coco['images']] == [1]
    assert len(conversion.skipped) == 2


def test_ten_bad_records_are_enough_to_read():
    records = Records(*(InputError(f'<{number}>') for number in range(12)))
    with pytest.raises(InputError, match=r'<9>\n +\.\.\. and 2 more\n'):
        build_coco(records, size_of)
    with pytest.raises(InputError, match='no record is left'):
        build_coco(records, size_of, skip_bad=True)


@pytest.mark.parametrize(
    ('box', 'digit', 'message'),
    [
        ((1, 2, 0, 4), 3, r'x: box 1 is 0 x 4 px'),
        ((1, 2, 3, -4), 3, r'3 x -4 px'),
        ((float('nan'), 2, 3, 4), 3, 'expected finite numbers'),
        ((1, 2, float('inf'), 4), 3, 'expected finite numbers'),
        ((1, 2, 3, 4), 10, 'labelled 10, which is no digit'),
        ((1, 2, 3, 4), -1, 'labelled -1'),
        ((1, 2, 3, 4), 2.5, 'labelled 2.5'),
        ((1, 2, 3, 4), float('nan'), 'labelled nan'),
    ],
)
def test_bad_boxes(box, digit, message):
    with pytest.raises(InputError, match=message):
        make_record('1.png', [box], [digit], 'x')


def others(name, *classes):
    return make_record(f'{name}.png', [(2, 3, 4, 5)], [7], 'x', others=classes)


def test_classes_that_are_no_digits_have_to_be_ignored_by_name():
    records = Records(others(1, 'border', ','), others(2, 'border', '\u200b7'), others(3))
    with pytest.raises(InputError) as caught:
        build_coco(records, size_of, skip_bad=True, ignore=[','])
    assert r"found:    'border' (2), '\u200b7' (1)" in str(caught.value)
    text = str(caught.value).partition('--ignore-classes ')[2].partition(' to leave')[0]
    names = class_list(*shlex.split(text))
    conversion = build_coco(records, size_of, ignore=names)
    assert [box['category_id'] for box in conversion.coco['annotations']] == [8, 8, 8]
    assert conversion.others == {'border': 2, ',': 1, '\u200b7': 1}


def test_a_digit_is_not_to_be_ignored():
    with pytest.raises(argparse.ArgumentTypeError, match='7: a digit'):
        class_list('border,7')


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('../x.png', r'\.\./x\.png does not stay in the folder'),
        ('a/../../x.png', 'does not stay'),
        ('a\\..\\x.png', 'does not stay'),
        ('/x.png', 'does not stay'),
        ('C:\\x.png', 'does not stay'),
        ('', "'' does not stay"),
        ('é' * 126 + '.png', 'has 256 bytes, 255 at most'),
        ('1\0.png', r"'1\\x00\.png' has a NUL"),
        ('1\udcff.png', r"'1\\udcff\.png' is no UTF-8"),
    ],
)
def test_file_names_that_lead_elsewhere(name, message):
    with pytest.raises(InputError, match=f'^record: the file name .*{message}'):
        make_record(name, [], [], 'record')


@pytest.mark.parametrize(
    'name', ['1.png', 'a/b.png', '..png', 'é.png', 'a b.png', 'é' * 125 + '.png']
)
def test_file_names_that_stay(name):
    assert make_record(name, [], [], 'record').file_name == name


def test_numbers_that_are_no_ids():
    conversion = build_coco(Records(record('20230115123456789012.png')), size_of)
    assert (conversion.coco['images'][0]['id'], conversion.ids_from_names) == (1, False)
