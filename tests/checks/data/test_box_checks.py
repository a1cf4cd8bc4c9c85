import numpy as np
import pytest
from check_samples import failures, make_box, make_coco, make_image, outcome, table_of

from mmdet_digits.checks.data.boxes import (
    check_boxes,
    check_duplicates,
    left_to_right,
    overlapping_pairs,
)


def with_box(bbox, **values):
    """A file with one more box, in an image of its own."""
    coco = make_coco()
    coco['images'].append(make_image(9))
    coco['annotations'].append(make_box(99, 9, bbox, **values))
    return coco


@pytest.mark.parametrize(
    ('bbox', 'expected'),
    [
        ([5, 3, 8, 14], {}),
        ([0, 0, 8, 20], {}),
        ([32, 0, 8, 20], {}),
        ([32, 0, 8.000001, 20], {}),  # rounding
        ([5, 3, 0, 14], {'boxes without size': 'fail'}),
        ([5, 3, 8, -14], {'boxes without size': 'fail'}),
        ([5, 3, 0.99, 1.5], {'boxes under 1 px': 'fail'}),
        ([5, 3, 1, 1], {}),
        ([40, 3, 8, 14], {'boxes outside the image': 'fail'}),
        ([5, -14, 8, 14], {'boxes outside the image': 'fail'}),
        ([5, -13.9, 8, 14], {'boxes partly outside the image': 'warn'}),
        ([-0.5, 3, 8, 14], {'boxes partly outside the image': 'warn'}),
        ([33, 3, 8, 14], {'boxes partly outside the image': 'warn'}),
        ([5, 0, 1.9, 20], {'boxes of an odd shape': 'warn'}),
        ([5, 0, 2, 20], {}),
        ([5, 3, 12, 6], {}),
        ([5, 3, 13, 6], {'boxes of an odd shape': 'warn'}),
        ([0, 0, 39, 20], {'boxes as large as the image': 'warn'}),
        ([0, 0, 36, 20], {}),  # exactly 90 %
    ],
)
def test_size_and_place(bbox, expected):
    assert failures(check_boxes(table_of(with_box(bbox)))) == expected


def test_a_box_is_shown_with_its_ids_its_values_and_its_image():
    checks = check_boxes(table_of(with_box([33, 3, 8.25, 14])))
    check = outcome(checks, 'boxes partly outside the image')
    assert check.found == '1: annotation 99 of image 9 (9.png): bbox 33 3 8.25 14 in 40 x 20'


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        (dict(area=112), {}),
        (dict(area=113), {}),
        (dict(area=150), {'areas': 'warn'}),
        (dict(area=0), {'areas': 'fail'}),
        (dict(area=-112), {'areas': 'fail'}),
        (dict(iscrowd=1), {'boxes marked iscrowd or ignore': 'warn'}),
        (dict(ignore=True), {'boxes marked iscrowd or ignore': 'warn'}),
        (dict(ignore=0), {}),
    ],
)
def test_what_stands_beside_the_box(values, expected):
    assert failures(check_boxes(table_of(with_box([5, 3, 8, 14], **values)))) == expected


@pytest.mark.parametrize(('height', 'found'), [(24, False), (25, True)])
def test_a_box_far_taller_than_the_other_digits(height, found):
    coco = make_coco(images=1)
    coco['images'][0]['height'] = 100
    heights = (12, height, 12)
    coco['annotations'] = [make_box(n, 1, [9 * n, 2, 8, h]) for n, h in enumerate(heights)]
    check = outcome(check_boxes(table_of(coco)), 'boxes far taller than their neighbours')
    assert check.found.startswith('1: annotation 1 of image 1' if found else 'none')


def test_boxes_of_images_of_unknown_size_are_not_called_outside():
    coco = with_box([500, 500, 8, 14])
    coco['annotations'][-1]['image_id'] = 12345
    assert failures(check_boxes(table_of(coco))) == {}


def test_the_same_box_again():
    coco = make_coco()
    coco['annotations'].append(dict(coco['annotations'][2], id=50))
    checks = check_duplicates(table_of(coco))
    assert failures(checks) == {'duplicate boxes': 'fail'}
    assert checks[0].found == '1: annotation 50 of image 2 (2.png)'


def test_the_same_place_with_another_label():
    coco = make_coco()
    again = dict(coco['annotations'][2], id=50, category_id=2)
    coco['annotations'].append(again | {'bbox': [4, 3, 8, 14.5]})
    checks = check_duplicates(table_of(coco))
    assert failures(checks) == {'one place, two boxes': 'warn'}
    assert checks[1].found == '1: annotation 50 of image 2 (2.png) is 1, where annotation 4 is 7'


def test_the_same_box_in_another_image_is_no_duplicate():
    coco = make_coco()
    for box in coco['annotations']:
        box['bbox'] = [4 + 14 * (box['id'] % 2), 3, 8, 14]
    assert failures(check_duplicates(table_of(coco))) == {}


def test_pairs_are_those_of_a_plain_loop():
    rng = np.random.default_rng(3)
    coco = make_coco(images=5) | {'annotations': []}
    for number in range(1, 400):
        corner = rng.integers(0, 4, 2) + rng.normal(0, 0.2, 2)
        bbox = [*corner.tolist(), *(6 + rng.normal(0, 0.3, 2)).tolist()]
        image = int(rng.integers(1, 6))
        coco['annotations'].append(make_box(number, image, bbox, int(rng.integers(10))))
    table = table_of(coco)
    pairs = overlapping_pairs(table, left_to_right(table)[0]).tolist()
    assert set(map(tuple, pairs)) == plain_pairs(coco)
    assert len(pairs) > 100


def plain_pairs(coco):
    boxes = coco['annotations']
    return {
        (i, j)
        for j, second in enumerate(boxes)
        for i, first in enumerate(boxes[:j])
        if first['image_id'] == second['image_id'] and plain_iou(first, second) > 0.9
    }


def plain_iou(first, second):
    (ax, ay, aw, ah), (bx, by, bw, bh) = first['bbox'], second['bbox']
    width = min(ax + aw, bx + bw) - max(ax, bx)
    height = min(ay + ah, by + bh) - max(ay, by)
    inter = max(width, 0) * max(height, 0)
    return inter / (aw * ah + bw * bh - inter)


def test_a_pile_of_boxes_does_not_take_for_ever():
    coco = make_coco(images=1)
    coco['annotations'] = [
        make_box(number, 1, [5 + number * 1e-6, 3, 8, 14]) for number in range(1, 3001)
    ]
    (found,) = failures(check_duplicates(table_of(coco)))
    assert found == 'one place, two boxes'
