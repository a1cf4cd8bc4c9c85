import numpy as np
import pytest

from mmdet_digits.assembly.crops import (
    CropRules,
    crop_around,
    merge_passes,
    owner_of,
    plan_crops,
)

RULES = CropRules(share=0.5, aspect=2.0)
SIZE = (400, 200)


def digits(*starts, y=90, size=20):
    """Boxes of digits, half as wide as high."""
    return np.array([[x, y, x + size / 2, y + size] for x in starts], float).reshape(-1, 4)


def plan(bboxes, scores=None, size=SIZE, rules=RULES):
    scores = np.full(len(bboxes), 0.9) if scores is None else np.array(scores)
    return plan_crops(bboxes, scores, size, rules).tolist()


def test_digits_have_their_share_of_the_crop_with_the_canvas_aspect():
    ((x1, y1, x2, y2),) = plan(digits(190, 202))
    assert (y2 - y1, x2 - x1) == (40, 80)
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == (201, 100)


@pytest.mark.parametrize(
    ('bboxes', 'scores', 'size'),
    [
        (digits(), None, SIZE),  # nothing was found
        (digits(190, 202), [0.2, 0.29], SIZE),  # nothing sure
        (digits(40, 52, y=20, size=60), None, (110, 90)),  # hardly anything would be cut away
    ],
)
def test_no_crop(bboxes, scores, size):
    assert plan(bboxes, scores, size) == []


def test_less_sure_boxes_count_where_none_is_sure():
    assert len(plan(digits(190), [0.3])) == 1
    alone = plan(digits(100), [0.5])
    assert plan(digits(100, 112), [0.5, 0.49]) == alone


def test_what_is_cut_away_exactly_at_the_limit_is_worth_it():
    box = np.array([[0.0, 0, 10, 80]])
    rules = CropRules(share=1.0, aspect=1.0, min_cut=0.2)
    assert len(plan(box, size=(112, 100), rules=rules)) == 1  # 90 x 80 of 112 x 100
    assert plan(box, size=(110, 80), rules=rules) == []


def test_two_numbers_give_two_crops_the_surer_first():
    crops = plan(digits(50, 62, 300), [0.6, 0.6, 0.9])
    assert len(crops) == 2
    assert crops[0][0] < 50 < crops[0][2] < 300 < crops[1][2]
    assert len(plan(digits(20, 120, 220, 320))) == 3  # at most


def test_a_crop_stays_in_the_image_and_keeps_its_size_where_it_can():
    assert crop_around(digits(2, y=0), SIZE, RULES) == (0, 0, 80, 40)
    assert crop_around(digits(388, y=180), SIZE, RULES) == (320, 160, 400, 200)
    assert crop_around(digits(10, y=5), (60, 30), RULES) == (0, 0, 60, 30)


def test_long_numbers_and_stacked_ones_fit_with_room_for_one_digit_more():
    bboxes = digits(*range(100, 220, 12))
    x1, _, x2, _ = crop_around(bboxes, SIZE, RULES)
    assert x2 - x1 == pytest.approx(118 + 20, abs=1)
    _, y1, _, y2 = crop_around(np.concatenate([digits(200, y=y) for y in (60, 84)]), SIZE, RULES)
    assert (y1, y2) == (50, 114)


def test_inside_a_crop_the_second_pass_counts():
    crops = np.array([[0, 0, 100, 100], [50, 0, 200, 100]])
    first = digits(10, 150, 300), np.array([0.9, 0.8, 0.7]), np.array([1, 2, 3])
    again = [
        (digits(11, 60), np.array([0.95, 0.6]), np.array([4, 5])),
        (digits(61, 151), np.array([0.5, 0.4]), np.array([6, 7])),  # 61 is the first crop's
    ]
    bboxes, scores, labels = merge_passes(first, crops, again)
    assert labels.tolist() == [4, 3, 5, 7]
    assert scores.tolist() == [0.95, 0.7, 0.6, 0.4]
    assert bboxes[:, 0].tolist() == [11, 300, 60, 151]


def test_without_crops_all_is_as_it_was():
    first = digits(10, 150), np.array([0.8, 0.9]), np.array([1, 2])
    bboxes, scores, labels = merge_passes(first, np.zeros((0, 4), int), [])
    assert (scores.tolist(), labels.tolist()) == ([0.9, 0.8], [2, 1])
    assert bboxes.tolist() == first[0][::-1].tolist()


def test_a_centre_on_the_edge_is_inside():
    crops = np.array([[15, 100, 40, 120]])
    assert owner_of(digits(10), crops).tolist() == [0]
    assert owner_of(digits(9), crops).tolist() == [-1]
