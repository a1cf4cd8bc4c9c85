import pytest
from tradeoff_points import TradeoffPoint, find_front, find_knee


def point(name, cost, accuracy, half=0.02):
    return TradeoffPoint(name, cost, accuracy, accuracy - half, accuracy + half)


@pytest.mark.parametrize(
    ('points', 'within', 'expected'),
    [
        ([('only', 1, 0.5)], None, 'only'),
        ([('cheap', 1, 0.80), ('best', 9, 0.90)], None, 'best'),
        ([('cheap', 1, 0.88), ('best', 9, 0.90)], None, 'cheap'),  # exactly at the interval's end
        ([('cheap', 1, 0.879), ('best', 9, 0.90)], None, 'best'),
        ([('cheap', 1, 0.80), ('best', 9, 0.90)], 0.1, 'cheap'),
        ([('cheap', 1, 0.89), ('best', 9, 0.90)], 0.0, 'best'),
        ([('a', 1, 0.89), ('b', 1, 0.90), ('c', 2, 0.9)], None, 'b'),  # as cheap, more accurate
        ([('first', 1, 0.9), ('second', 1, 0.9)], 0.0, 'first'),
        ([('dear', 9, 0.70), ('best', 1, 0.90)], None, 'best'),
    ],
)
def test_knee_is_the_cheapest_that_is_about_as_good(points, within, expected):
    assert find_knee([point(*values) for values in points], within).name == expected


def test_no_points_no_knee():
    assert find_knee([]) is None and find_front([]) == []


def test_the_front_has_what_no_other_beats():
    points = [point('c', 3, 0.9), point('a', 1, 0.5), point('worse', 2, 0.4), point('tie', 4, 0.9)]
    assert [p.name for p in find_front(points)] == ['a', 'c']
    assert [p.name for p in find_front([point('x', 1, 0.4), point('y', 1, 0.5)])] == ['y']
