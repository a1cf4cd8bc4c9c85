import json

import numpy as np
import pytest

from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.box_pairs import pair_boxes
from mmdet_digits.evaluation.predictions import parse_records

TRUE = [  # image, digit, box
    (1, 1, [10, 10, 8, 30]),
    (1, 1, [20, 10, 8, 30]),
    (1, 7, [32, 10, 14, 30]),
    (2, 7, [32, 10, 14, 30]),
]


@pytest.fixture
def annotations(tmp_path):
    boxes = [
        {'id': n, 'image_id': image, 'category_id': digit + 1, 'bbox': bbox, 'area': 1}
        for n, (image, digit, bbox) in enumerate(TRUE, start=1)
    ]
    images = [{'id': i, 'file_name': f'{i}.png', 'width': 80, 'height': 50} for i in (1, 2, 3)]
    categories = [{'id': digit + 1, 'name': str(digit)} for digit in range(10)]
    path = tmp_path / 'true.json'
    path.write_text(json.dumps({'images': images, 'annotations': boxes, 'categories': categories}))
    return read_annotations(path)


def predictions(*found):
    records = [
        {'image_id': image, 'bbox': bbox, 'score': score, 'category_id': digit + 1}
        for image, digit, bbox, score in found
    ]
    return parse_records(records, 'pred.json')


def test_each_true_box_gets_the_detection_that_overlaps_most(annotations):
    found = predictions(
        (1, 1, [17, 10, 10, 30], 0.9),  # both ones overlap it: it is the second
        (1, 1, [11, 10, 8, 30], 0.8),
        (1, 7, [33, 11, 14, 30], 0.7),
        (1, 7, [36, 11, 14, 30], 0.99),  # a duplicate that lies worse
    )
    ours, theirs = pair_boxes(found, annotations, 0.5)
    pairs = {tuple(a): tuple(b) for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)}
    assert pairs == {
        (17, 10, 10, 30): (20, 10, 8, 30),
        (11, 10, 8, 30): (10, 10, 8, 30),
        (33, 11, 14, 30): (32, 10, 14, 30),
    }


@pytest.mark.parametrize(
    'found',
    [
        (1, 2, [32, 10, 14, 30], 0.9),  # another digit
        (3, 7, [32, 10, 14, 30], 0.9),  # another image
        (1, 7, [60, 10, 14, 30], 0.9),  # elsewhere
        (1, 7, [32, 10, 14, 30], 0.49),  # not sure enough
    ],
)
def test_what_does_not_belong_together_is_no_pair(annotations, found):
    ours, theirs = pair_boxes(predictions(found), annotations, 0.5)
    assert ours.shape == theirs.shape == (0, 4)


def test_a_detection_in_an_unknown_image_is_told(annotations):
    with pytest.raises(InputError, match='image ids that are not in'):
        pair_boxes(predictions((9, 7, [32, 10, 14, 30], 0.9)), annotations, 0.5)


def test_just_sure_enough_counts(annotations):
    ours, theirs = pair_boxes(predictions((2, 7, [30, 9, 15, 33], 0.5)), annotations, 0.5)
    assert np.array_equal(ours, [[30, 9, 15, 33]]) and np.array_equal(theirs, [[32, 10, 14, 30]])
