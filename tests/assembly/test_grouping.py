import numpy as np
import pytest

from mmdet_digits.assembly.grouping import NEIGHBOURS, group_boxes, in_reading_order


def digits(*corners):
    """Boxes of 10 x 20 px at these corners."""
    return np.array([(x, y, x + 10, y + 20) for x, y in corners], dtype=float).reshape(-1, 4)


@pytest.mark.parametrize(
    ('corners', 'groups'),
    [
        ([], []),
        ([(5, 0)], [[0]]),
        ([(0, 0), (40, 0)], [[0, 1]]),  # 30 px apart, of 1.5 times 20
        ([(0, 0), (41, 0)], [[0], [1]]),
        ([(80, 0), (0, 0), (40, 0)], [[0, 1, 2]]),  # joined by the one in the middle
        ([(0, 0), (0, 51)], [[0], [1]]),
    ],
)
def test_digits_near_each_other_are_one_group(corners, groups):
    assert group_boxes(digits(*corners), (1.5, 1.5)) == groups


@pytest.mark.parametrize(
    ('corners', 'groups'),
    [
        ([(0, 0), (24, 0)], [[0, 1]]),  # 14 px apart, of 0.7 times 20
        ([(0, 0), (25, 0)], [[0], [1]]),
        ([(0, 0), (12, 12)], [[0, 1]]),  # they overlap in y by 8 px, 0.4 times 20
        ([(0, 0), (12, 13)], [[0], [1]]),
        ([(0, 0), (12, 8), (24, 16)], [[0, 1, 2]]),  # on a slant
        ([(0, 0), (0, 24)], [[0], [1]]),  # one above the other
    ],
)
def test_neighbours_are_one_number(corners, groups):
    assert group_boxes(digits(*corners), NEIGHBOURS) == groups


@pytest.mark.parametrize(
    ('corners', 'order'),
    [
        ([], []),
        ([(50, 0), (0, 0)], [1, 0]),
        ([(0, 30), (50, 0), (10, 1)], [2, 1, 0]),
        ([(0, 9), (50, 0)], [0, 1]),  # begins above the middle of the highest: one row
        ([(0, 10), (50, 0)], [1, 0]),
    ],
)
def test_reading_order(corners, order):
    assert in_reading_order(digits(*corners)) == order
