import shlex
from argparse import ArgumentTypeError

import pytest

from mmdet_digits.cli import fraction, name_list, natural, positive
from mmdet_digits.errors import quoted_list


@pytest.mark.parametrize(
    ('kind', 'text', 'value'),
    [
        (fraction, '0', 0),
        (fraction, '1e-3', 0.001),
        (fraction, '1', 1),
        (natural, '0', 0),
        (positive, '1', 1),
        (positive, '1_000', 1000),
    ],
)
def test_values_at_their_edges_pass(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ('kind', 'text', 'expected'),
    [
        *((fraction, text, 'a number from 0 to 1') for text in ('-0.1', '1.01', 'nan', 'inf', 'x')),
        *((natural, text, 'a whole number, 0 or more') for text in ('-1', '1.0', '', 'x')),
        *((positive, text, 'a whole number, 1 or more') for text in ('0', '-1', '2.5')),
    ],
)
def test_others_are_told_with_what_was_expected(kind, text, expected):
    with pytest.raises(ArgumentTypeError, match=f'found {text!r}, expected {expected}'):
        kind(text)


@pytest.mark.parametrize('names', [['plate'], ['plate', 'dirt and dust'], ['a,b', ',', '"'], ['']])
def test_names_are_read_from_what_a_message_tells_to_type(names):
    (argument,) = shlex.split(quoted_list(names))
    assert name_list(argument) == names


def test_blanks_around_names_do_not_belong_to_them():
    assert name_list('plate, dot') == ['plate', 'dot']
