import numpy as np
import pytest
from check_samples import make_coco, outcome, table_of

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import NumberAssembly
from mmdet_digits.checks.data.cropping import (
    Crops,
    annotated_crops,
    compare_crops,
    differ,
    distribution_distance,
    measure_crops,
    predicted_crops,
    zoom_out_share,
)

DIGITS = 'size and place of the digits'
TRAIN = np.random.default_rng(0).normal(0.66, 0.12, 2000).clip(0.2, 0.95)


def crops(heights, aspects=None, center=0.5):
    """Images of these digit heights, all else alike."""
    heights = np.asarray(heights, float)
    same = np.full(len(heights), center)
    aspects = np.full(len(heights), 2.0) if aspects is None else np.asarray(aspects, float)
    return Crops(np.full(len(aspects), 50), aspects, heights, same, same, same)


@pytest.mark.parametrize(
    ('boxes', 'expected'),  # of one image of 100 x 50 px: height, width, centre x, centre y
    [
        ([[10, 10, 20, 40]], (0.6, 0.1, 0.15, 0.5)),
        ([[10, 10, 20, 40], [30, 10, 40, 30], [50, 10, 60, 35]], (0.5, 0.5, 0.35, 0.5)),
        ([[10, 10, 20, 40], [30, 30, 30, 40]], (0.6, 0.1, 0.15, 0.5)),  # one without size
    ],
)
def test_an_image_is_measured_by_its_digits(boxes, expected):
    found = measure_crops(np.array([[100, 50]]), np.zeros(len(boxes), int), np.array(boxes, float))
    names = ('digit_heights', 'number_widths', 'centers_x', 'centers_y')
    assert [getattr(found, name).tolist() for name in names] == [
        [pytest.approx(value)] for value in expected
    ]
    assert (found.aspects.tolist(), found.image_heights.tolist()) == ([2.0], [50])


def test_images_without_digits_and_digits_without_images():
    sizes = np.array([[100, 50], [0, 0], [80, 40], [60, 60]])
    boxes = np.tile([10.0, 10, 20, 30], (4, 1))
    found = measure_crops(sizes, np.array([2, 1, -1, 0]), boxes)
    assert found.digit_heights.tolist() == [0.4, 0.5]  # in the order of the images
    assert found.images == '2 of 3 images'
    nothing = measure_crops(np.zeros((0, 2), int), np.zeros(0, int), np.zeros((0, 4)))
    assert nothing.images == '0 of 0 images'


def test_crowds_are_no_digits():
    coco = make_coco(images=2)
    coco['annotations'][0]['bbox'] = [0, 0, 40, 20]
    coco['annotations'][0]['iscrowd'] = 1
    assert annotated_crops(table_of(coco)).digit_heights.tolist() == [0.7, 0.7]


def test_only_what_the_number_is_read_from_counts():
    boxes = np.array([[10, 10, 20, 40], [50, 0, 90, 50]], float)
    found = Detections(np.array([0, 0]), boxes, np.array([1, 2]), np.array([0.9, 0.2]), 2)
    measured = predicted_crops(np.array([[100, 50], [100, 50]]), found, NumberAssembly())
    assert measured.digit_heights.tolist() == [0.6]
    assert measured.images == '1 of 2 images'


@pytest.mark.parametrize(
    ('first', 'second', 'distance'),
    [
        ([1, 2, 3], [1, 2, 3], 0),
        ([1, 2], [3, 4], 1),
        ([1, 2, 3, 4], [3, 4], 0.5),
        ([1], [1, 1, 2, 2], 0.5),
    ],
)
def test_distribution_distance(first, second, distance):
    assert distribution_distance(np.array(first), np.array(second)) == pytest.approx(distance)
    assert distribution_distance(np.array(second), np.array(first)) == pytest.approx(distance)


@pytest.mark.parametrize(
    ('other', 'expected'),
    [
        (TRAIN, False),
        (TRAIN * 0.88, False),  # boxes of another style
        (TRAIN * 0.7, True),
        (TRAIN * 1.4, True),
        (TRAIN[:3] * 0.7, False),  # too few to tell
        (TRAIN[:100] * 0.7, True),
        (np.append(TRAIN[:1000], TRAIN[1000:] * 0.5), True),  # half of them
        ([], False),
    ],
)
def test_what_differs(other, expected):
    assert differ(TRAIN, np.array(other)) is expected
    assert differ(np.array(other), TRAIN) is expected


@pytest.mark.parametrize(
    ('low', 'high'), [(1.0, 1.0), (0.5, 0.5), (0.3, 1.0), (0.4, 0.7), (0.1, 1.0)]
)
def test_the_range_of_a_zoom_out_is_found(low, high):
    shares = np.random.default_rng(1).uniform(low, high, len(TRAIN))
    found = zoom_out_share(TRAIN, TRAIN[::-1] * shares)
    assert found == pytest.approx((low, high), abs=0.051)


def test_larger_digits_need_no_zoom_out():
    assert zoom_out_share(TRAIN, TRAIN * 1.3) == (1, 1)


def test_images_that_are_cropped_alike():
    for check in compare_crops(crops(TRAIN), crops(TRAIN[::2])):
        assert check.status == 'ok'
    assert 'digits are 1.00 times as high as in train, in 1,000 of 1,000 images' in check.found


def test_loosely_cropped_images_are_told_with_factor_and_remedy():
    check = outcome(compare_crops(crops(TRAIN), crops(TRAIN * 0.5, center=0.4)), DIGITS)
    assert check.status == 'warn'
    assert 'digits are 0.50 times as high as in train' in check.found
    assert 'at 0.40 (0.40 to 0.40) of the width, train 0.50' in check.found
    assert 'share=(0.5, 0.5)' in check.fix and '--share 0.5 0.5' in check.fix


def test_tightly_cropped_images_are_told():
    check = outcome(compare_crops(crops(TRAIN * 0.5), crops(TRAIN)), DIGITS)
    assert check.status == 'warn' and 'RandomZoomOut' not in check.fix


def test_images_of_another_shape_are_told():
    shapes, _ = compare_crops(crops(TRAIN), crops(TRAIN, aspects=np.full(len(TRAIN), 0.8)))
    assert shapes.status == 'warn' and '0.80 (0.80 to 0.80) times as wide as high' in shapes.found


@pytest.mark.parametrize(('train', 'other'), [(TRAIN, []), ([], TRAIN), ([], [])])
def test_without_digits_there_is_nothing_to_compare(train, other):
    check = outcome(compare_crops(crops(train), crops(other)), DIGITS)
    assert check.status == 'warn' and 'predict.py' in check.fix
