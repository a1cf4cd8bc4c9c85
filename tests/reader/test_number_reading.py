"""From detections to readings."""

import json

import numpy as np
import pytest

from mmdet_digits.assembly.number_assembly import NumberAssembly
from mmdet_digits.reader.number_reading import Digit, make_reading, make_readings

IMAGE = np.full((60, 120, 3), 200, np.uint8)


def found(*digits):
    """Boxes of 10 x 20 px: (x, y, value, score) each."""
    bboxes = np.array([(x, y, x + 10, y + 20) for x, y, _, _ in digits], float).reshape(-1, 4)
    return bboxes, np.array([d[3] for d in digits]), np.array([d[2] for d in digits], int)


def reading_of(*digits, **fields):
    return make_reading(*found(*digits), NumberAssembly(**fields), 'a.png', IMAGE)


def test_a_number_and_what_it_is_made_of():
    reading = reading_of((20, 5, 7, 0.5), (5, 5, 0, 0.8), (40, 5, 3, 0.2), (6, 5, 8, 0.6))
    assert (reading.number, reading.source) == ('07', 'a.png')
    assert reading.confidence == pytest.approx(0.4)
    assert reading.digits == (Digit(0, 0.8, (5, 5, 15, 25)), Digit(7, 0.5, (20, 5, 30, 25)))
    reasons = [(digit.value, digit.reason) for digit in reading.dropped]
    assert reasons == [(8, 'duplicate'), (3, 'low score')]
    assert reading.box == (5, 5, 30, 25)
    assert str(reading) == '07   confidence 0.40'


def test_no_digit_is_no_number():
    reading = reading_of((20, 5, 7, 0.4))
    assert (reading.number, reading.confidence, reading.digits, reading.box) == (None, 0, (), None)
    assert str(reading) == 'no number'
    assert reading_of().dropped == ()


def test_another_assembly_needs_no_second_look():
    reading = reading_of((20, 5, 7, 0.5), (5, 5, 0, 0.8), (40, 5, 3, 0.2), max_digits=5)
    lower = reading.reassemble(score_thr=0.1)
    assert (lower.number, lower.assembly) == ('073', NumberAssembly(score_thr=0.1, max_digits=5))
    assert lower.reassemble(score_thr=0.5) == reading
    assert lower.source == 'a.png' and lower.image is IMAGE
    assert lower.reassemble(order='center', max_digits=1).number == '0'
    with pytest.raises(TypeError, match='score_three'):
        reading.reassemble(score_three=1)
    with pytest.raises(ValueError, match='score_thr'):
        reading.reassemble(score_thr=2)


def test_as_plain_values():
    values = json.loads(json.dumps(reading_of((5, 5, 4, 1 / 3), score_thr=0.3).to_dict()))
    assert values == dict(
        source='a.png',
        number='4',
        confidence=0.333333,
        digits=[dict(value=4, score=0.333333, box=[5, 5, 15, 25], reason='read')],
        dropped=[],
    )


def test_a_picture_shows_its_boxes():
    reading = reading_of((20, 5, 7, 0.9), (22, 5, 1, 0.8))
    picture = reading.draw(size=(240, 120))
    assert picture.dtype == np.uint8 and picture.shape[1] == 240
    blue = (picture == (216, 78, 29)).all(-1)  # BGR of what was read
    grey = (picture == (128, 114, 107)).all(-1)  # of what was left out
    assert blue.sum() > 100 and grey.sum() > 20
    assert not (reading.reassemble(score_thr=0.95).draw() == (216, 78, 29)).all(-1).any()


def test_all_numbers_row_by_row():
    first_row = (60, 1, 3, 0.9), (72, 1, 4, 0.9), (5, 0, 1, 0.9), (17, 0, 2, 0.9)
    second_row = (30, 40, 5, 0.9), (31, 40, 6, 0.6), (90, 39, 7, 0.3)
    readings = make_readings(*found(*first_row, *second_row), NumberAssembly())
    assert [reading.number for reading in readings] == ['12', '34', '5']
    assert [digit.reason for digit in readings[2].dropped] == ['duplicate']
    assert make_readings(*found(), NumberAssembly()) == []
