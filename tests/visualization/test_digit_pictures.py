import numpy as np
import pytest

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.visualization.digit_pictures import (
    DROPPED,
    READ,
    Mark,
    contact_sheet,
    crop_to_marks,
    draw_marks,
    read_marks,
    side_by_side,
    with_caption,
)

IMAGE = np.full((30, 60, 3), 200, np.uint8)


def has(picture, color):
    return (np.asarray(picture) == color).all(axis=2).any()


@pytest.mark.parametrize('shape', [(30, 60), (800, 300), (1, 500), (7, 7)])
def test_pictures_fit_and_boxes_beyond_the_edge_are_drawn(shape):
    image = np.full((*shape, 3), 200, np.uint8)
    marks = [Mark([-50, -50, 5000, 5000], '7', READ), Mark([3, 2, 3, 2], '1', DROPPED, True)]
    picture = draw_marks(image, marks, (320, 120))
    assert picture.width <= 320 and picture.height <= 120 + 40
    assert has(picture, READ)


def test_what_was_read_and_what_a_rule_dropped_is_marked():
    bboxes = [[0.0, 0, 10, 20], [1.0, 1, 10, 20], [20.0, 0, 30, 20]]
    detections = Detections([0, 0, 0], bboxes, [4, 5, 6], [0.9, 0.8, 0.1], 1)
    marks = read_marks(detections, assemble_numbers(detections), 0)
    assert [(mark.text, mark.dashed) for mark in marks] == [('5 duplicate', True), ('4', False)]
    picture = draw_marks(IMAGE, marks)
    assert has(picture, READ) and has(picture, DROPPED)


def test_crop_keeps_the_boxes_on_the_same_pixels():
    image = np.arange(100 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 200, 3)
    mark = Mark(np.array([90.0, 40, 100, 60]), '1', READ)
    part, ((moved,), none) = crop_to_marks(image, [[mark], []])
    assert part.shape[0] < 100 and part.shape[1] < 200 and none == []
    x1, y1, x2, y2 = moved.bbox.astype(int)
    assert (part[y1:y2, x1:x2] == image[40:60, 90:100]).all()
    assert crop_to_marks(image, [[], []])[0].shape == image.shape


def test_layout():
    picture = draw_marks(IMAGE, [], (100, 100))
    assert side_by_side([picture, picture]).width == 2 * picture.width + 8
    long = with_caption(picture, 'a rather long line of text')
    assert long.width > picture.width and long.height > picture.height
    assert contact_sheet([picture] * 4, columns=3).height > contact_sheet([picture]).height
