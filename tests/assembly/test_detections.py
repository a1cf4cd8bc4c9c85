import numpy as np
import pytest

from mmdet_digits.assembly.detections import Detections, make_blocks
from mmdet_digits.assembly.padded_boxes import pairwise_center_distances, pairwise_overlaps

BOX = [0.0, 0.0, 10.0, 20.0]


@pytest.mark.parametrize(
    ('other', 'iou', 'containment', 'distance'),
    [
        (BOX, 1, 1, 0),
        ([10, 0, 20, 20], 0, 0, 10),  # touching
        ([0, 10, 10, 30], 1 / 3, 1 / 2, 10),
        ([2, 2, 7, 12], 1 / 4, 1, np.hypot(0.5, 3)),  # inside
        ([3, 5, 3, 5], 0, 0, np.hypot(2, 5)),  # without an area
        ([-40, -40, -30, -20], 0, 0, np.hypot(40, 40)),
    ],
)
def test_pairs(other, iou, containment, distance):
    pair = np.array([[BOX, other]], dtype=float)
    found_iou, found_containment = pairwise_overlaps(pair)
    np.testing.assert_allclose(found_iou[0, [0, 1], [1, 0]], iou)
    np.testing.assert_allclose(found_containment[0, [0, 1], [1, 0]], containment)
    np.testing.assert_allclose(pairwise_center_distances(pair)[0, 0, 1], distance)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'image_index': [0, 2]},
            r'detection 1: expected image_index in 0..1, found image_index 2',
        ),
        ({'image_index': [-1, 0]}, 'detection 0: expected image_index'),
        ({'labels': [3, 10]}, r'detection 1: expected a label \(digit\) in 0..9'),
        ({'scores': [np.nan, 1]}, 'detection 0: expected a finite score'),
        ({'bboxes': [BOX, [0, 0, np.inf, 1]]}, 'detection 1: expected a finite box'),
        ({'bboxes': [BOX, [5, 0, 4, 1]]}, 'detection 1: expected a box with x1 <= x2'),
        ({'labels': [3]}, 'lengths disagree'),
    ],
)
def test_bad_detections_are_named(change, message):
    fields = {'image_index': [0, 1], 'bboxes': [BOX, BOX], 'labels': [1, 2], 'scores': [0.5, 0.6]}
    with pytest.raises(ValueError, match=message):
        Detections(**{**fields, **change}, num_images=2)


def test_blocks_hold_every_detection_above_the_floor_once():
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(40), rng.integers(0, 30, 40))
    scores = rng.random(len(image))
    detections = Detections(image, np.tile(BOX, (len(image), 1)), image % 10, scores, 40)
    blocks = make_blocks(detections, 0.3, winner='score', ties='boxes')
    seen = np.concatenate([block.index[block.index >= 0] for block in blocks])
    assert sorted(seen) == np.flatnonzero(scores >= 0.3).tolist()
    for block in blocks:
        rows, slots = np.nonzero(block.index >= 0)
        assert (image[block.index[rows, slots]] == block.images[rows]).all()
        assert (np.diff(np.maximum(block.scores, -1), axis=1) <= 0).all()  # best first, empty last


@pytest.mark.parametrize(
    ('images', 'expected'),
    [
        ([2, 0, 2, 0, 2], [[1, 3], [], [0, 2, 4], []]),
        ([3], [[], [], [], [0]]),
        ([], [[], [], [], []]),
    ],
)
def test_detections_by_image_in_the_order_of_the_input(images, expected):
    count = len(images)
    detections = Detections(images, [BOX] * count, [1] * count, [0.5] * count, 4)
    assert [indices.tolist() for indices in detections.by_image] == expected
