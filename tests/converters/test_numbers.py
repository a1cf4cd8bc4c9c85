"""The table of numbers without boxes."""

from pathlib import Path

import pytest

from mmdet_digits.converters.numbers import numbers_of
from mmdet_digits.errors import InputError

IMAGES = [Path('photos', name) for name in ('1.png', '2.png', 'door.jpg')]


def read(tmp_path, text, images=IMAGES):
    table = tmp_path / 'numbers.csv'
    table.write_text(text, encoding='utf-8')
    return numbers_of(images, table)


@pytest.mark.parametrize(
    ('text', 'numbers', 'unused'),
    [
        ('image_id,number\n1,007\n2,290\n', ['007', '290', None], 0),
        ('image_id,number\n0002,290\n', [None, '290', None], 0),
        ('image_id,number\n2.png,290\ndoor,5\n', [None, '290', '5'], 0),
        ('image_id,number\ndoor,5\n', [None, None, '5'], 0),
        ('\ufeffnumber,file_name\n12,photos/door.jpg\n34,elsewhere\\1.png', ['34', None, '12'], 0),
        ('file_name,number,image_id\n2.png,12,1\n', [None, '12', None], 0),  # ids may be anything
        ('file_name,number\r\n 1.png , 12 \r\n', ['12', None, None], 0),
        ('file_name,number\n1.png,-1\n2.png,\ndoor.jpg,0\n', [None, None, '0'], 0),
        ('file_name,number\n1.png,5\n3.png,6\n1.jpg,7\n', ['5', None, None], 2),
        ('image_id,file_name,number,boxes\n7,"a,b/1.png",12,"[[1, 2]]"\n', ['12', None, None], 0),
    ],
)
def test_numbers_by_the_names_of_images(tmp_path, text, numbers, unused):
    assert read(tmp_path, text) == (numbers, unused)


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('', 'an empty file'),
        ('1.png,12\n', '1.png,12'),
        ('file_name,pred_label\n1.png,12\n', 'file_name,pred_label'),
        ('file_name;number\n1.png;12\n', 'file_name;number'),
        ('file_name,number\n1.png\n', 'line 2, with more or fewer'),
        ('file_name,number\n1.png,1,2\n', 'line 2, with more or fewer'),
        ('file_name,number\n1.png,12\n2.png,12.0\n', 'line 3: 12.0'),
        ('file_name,number\n1.png,-5\n', 'line 2: -5'),
        ('file_name,number\n1.png,12a\n', 'line 2: 12a'),
        ('file_name,number\n1.png,٣\n', 'line 2: ٣'),
        ('file_name,number\n1.png,1\na/1.png,1\n', 'line 3: 1.png again'),
        ('image_id,number\n1,1\n01,1\n', 'line 3: 1 again'),
        ('file_name,number\n', 'no rows; images: 1.png, 2.png, door.jpg'),
        ('file_name,number\n7.png,1\n', '7.png; images: 1.png, 2.png, door.jpg'),
        (f'file_name,number\n1.png,"{"1" * 200_000}"\n', 'after line 1: field larger'),
    ],
)
def test_what_is_no_such_table_is_told(tmp_path, text, says):
    with pytest.raises(InputError) as told:
        read(tmp_path, text)
    error = told.value
    assert says in error.found and 'numbers.csv' in error.what
    assert error.expected and error.fix


def test_a_row_that_may_mean_two_images_is_told(tmp_path):
    images = [Path('a/1.png'), Path('b/1.png'), Path('a/2.png'), Path('b/2.png')]
    with pytest.raises(InputError, match='several images') as told:
        read(tmp_path, 'file_name,number\n1.png,12\n', images)
    assert told.value.found == 'a/1.png, b/1.png'
