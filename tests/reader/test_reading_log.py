"""What stands on the disk while many images are read."""

import csv
import json

import pytest

from mmdet_digits.errors import InputError
from mmdet_digits.reader.number_reading import Digit, NumberReading
from mmdet_digits.reader.reading_log import ReadingLog, check_settings, record_of, write_tables

SEVEN = NumberReading('7', 0.9, (Digit(7, 0.9, (1, 2, 11, 22)),), (Digit(1, 0.2, (0, 0, 5, 9)),))
NOTHING = NumberReading(None, 0.0, ())


def test_records_are_found_by_name(tmp_path):
    log = ReadingLog(tmp_path / 'numbers.jsonl')
    log.add([record_of('b.png', SEVEN), record_of('ä.png', 'ä.png: no image')])
    log.add([record_of('c.png', [SEVEN, SEVEN])])
    assert log.read == {'b.png', 'c.png'}
    log.close()
    log = ReadingLog(tmp_path / 'numbers.jsonl')
    assert log.read == {'b.png', 'c.png'}
    third, second, first = log.records(['c.png', 'ä.png', 'b.png'])
    assert [reading['number'] for reading in third['numbers']] == ['7', '7']
    assert second == dict(file_name='ä.png', error='ä.png: no image')
    assert first['digits'][0]['box'] == [1, 2, 11, 22]
    log.add([record_of('ä.png', SEVEN)])  # it can be read now
    assert log.read == {'b.png', 'c.png', 'ä.png'}
    assert next(log.records(['ä.png']))['number'] == '7'


@pytest.mark.parametrize('cut', [1, 5, 40])
def test_a_line_that_was_cut_off_is_read_again(tmp_path, cut):
    path = tmp_path / 'numbers.jsonl'
    log = ReadingLog(path)
    log.add([record_of('a.png', SEVEN), record_of('b.png', SEVEN)])
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    log = ReadingLog(path)
    assert log.read == {'a.png'}
    log.add([record_of('b.png', SEVEN)])
    assert path.read_bytes() == whole


def test_the_tables(tmp_path):
    log = ReadingLog(tmp_path / 'numbers.jsonl')
    log.add([record_of('=2.png', SEVEN), record_of('1.png', NOTHING), record_of('3.png', 'broken')])
    names, ids = ['1.png', '=2.png', '3.png'], [1, 2, 3]
    assert write_tables(tmp_path, log, names, ids, submitted=True) == 1
    rows = list(csv.DictReader((tmp_path / 'numbers.csv').open()))
    assert [row['number'] for row in rows] == ['-1', '7', '-1']
    assert rows[1]['file_name'] == "'=2.png" and rows[1]['confidence'] == '0.9000'
    assert json.loads(rows[1]['boxes']) == [[1, 2, 11, 22]]
    assert (tmp_path / 'pred.csv').read_text() == 'image_id,pred_label\n1,-1\n2,7\n3,-1\n'
    assert json.loads((tmp_path / 'pred.json').read_text()) == [
        dict(image_id=2, bbox=[1, 2, 10, 20], score=0.9, category_id=8),
        dict(image_id=2, bbox=[0, 0, 5, 9], score=0.2, category_id=2),
    ]


def test_several_numbers_are_several_rows(tmp_path):
    log = ReadingLog(tmp_path / 'numbers.jsonl')
    log.add([record_of('a.png', [SEVEN, SEVEN]), record_of('b.png', [])])
    assert write_tables(tmp_path, log, ['a.png', 'b.png'], [1, 2], submitted=False) == 2
    rows = list(csv.DictReader((tmp_path / 'numbers.csv').open()))
    assert [(row['file_name'], row['number']) for row in rows] == [('a.png', '7')] * 2
    assert not (tmp_path / 'pred.csv').exists()


def test_a_folder_keeps_its_settings(tmp_path):
    check_settings(tmp_path, dict(weights='svhn', all=False))
    check_settings(tmp_path, dict(weights='svhn', all=False))
    with pytest.raises(InputError) as caught:
        check_settings(tmp_path, dict(weights='svhn', all=True))
    assert 'found:    all: False' in str(caught.value) and 'expected: all: True' in str(
        caught.value
    )
