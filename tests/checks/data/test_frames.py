import numpy as np
import pytest

from mmdet_digits.checks.data.corrections import OWN, STATED, UNKNOWN, find_frames, same_shape

INNER, OUTER = [4, 3, 8, 14], [24, 3, 8, 14]  # the middle of OUTER is beyond 20 x 20


@pytest.mark.parametrize(
    ('stated', 'size', 'boxes', 'expected'),
    [
        ((40, 20), (80, 40), [OUTER], STATED),
        ((40, 20), (20, 10), [OUTER], STATED),
        ((20, 10), (40, 20), [OUTER], OWN),
        ((40, 20), (80, 40), [], OWN),
        ((400, 20), (40, 20), [INNER], OWN),
        ((40, 20), (100, 100), [INNER], UNKNOWN),
        ((40, 20), (20, 200), [OUTER], STATED),
        ((40, 20), (80, 40), [[90, 3, 8, 14]], UNKNOWN),
    ],
)
def test_one_image(stated, size, boxes, expected):
    arguments = np.array([stated]), np.array([size]), np.zeros(len(boxes), dtype=int)
    frames, _ = find_frames(*arguments, np.array(boxes, dtype=float).reshape(-1, 4))
    assert frames == [expected]


@pytest.mark.parametrize(
    ('beyond', 'expected'),
    [(0, STATED), (1, STATED), (5, UNKNOWN), (10, OWN), (100, OWN)],
)
def test_images_that_say_nothing_follow_those_that_do(beyond, expected):
    """Of 100 enlarged images so many have a box that is beyond the stated size."""
    boxes = np.array([INNER] * 100, dtype=float)
    boxes[:beyond, 0] = 50
    stated, sizes = np.full((100, 2), (40, 20)), np.full((100, 2), (80, 40))
    frames, same = find_frames(stated, sizes, np.arange(100), boxes)
    assert frames == [OWN] * beyond + [expected] * (100 - beyond)
    assert same.all()


@pytest.mark.parametrize(
    ('size', 'expected'),
    [((80, 40), True), ((13, 7), True), ((14, 6), True), ((80, 42), False), ((20, 40), False)],
)
def test_same_shape(size, expected):
    assert same_shape(np.array([(40, 20)]), np.array([size])).tolist() == [expected]
