import json
import logging

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger

from mmdet_digits.coco.categories import DIGITS, map_categories
from mmdet_digits.datasets.digits_dataset import drop_reason
from mmdet_digits.errors import InputError

PIPELINE = [
    dict(type='LoadCheckedImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
IN_ORDER = [{'id': digit + 1, 'name': str(digit)} for digit in range(10)]


def write(root, categories=IN_ORDER, names=('7', '0'), size=(40, 20), boxes=None):
    """A data set of one image that holds one box per name."""
    (root / 'train').mkdir(exist_ok=True)
    width, height = size
    cv2.imwrite(str(root / 'train' / '1.png'), np.zeros((height, width, 3), np.uint8))
    id_of = {category['name']: category['id'] for category in categories}
    boxes = boxes or [[2 + 12 * i, 3, 8, 14] for i in range(len(names))]
    annotations = [
        dict(id=i, image_id=1, category_id=id_of[name], bbox=box, area=box[2] * box[3], iscrowd=0)
        for i, (name, box) in enumerate(zip(names, boxes, strict=True), start=1)
    ]
    images = [dict(id=1, file_name='1.png', width=width, height=height)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / 'train.json').write_text(json.dumps(content))
    return root


def build(root, **kwargs):
    return DATASETS.build(
        dict(
            type='DigitsDataset',
            data_root=str(root),
            ann_file='train.json',
            data_prefix=dict(img='train/'),
            pipeline=PIPELINE,
            **kwargs,
        )
    )


def labels(dataset):
    return dataset[0]['data_samples'].gt_instances.labels.tolist()


@pytest.fixture
def log(caplog):
    """Everything MMEngine logs; its loggers do not propagate by themselves."""
    logger = MMLogger.get_instance('test_digits_dataset')  # now the current one, of any level
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize(
    'categories',
    [
        IN_ORDER,
        IN_ORDER[::-1],
        [{'id': 100 - digit, 'name': str(digit)} for digit in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)],
    ],
    ids=['in order', 'reversed', 'shuffled with other ids'],
)
def test_labels_follow_the_names_not_the_order_of_the_file(tmp_path, categories):
    assert labels(build(write(tmp_path, categories))) == [7, 0]


def test_svhn_name_of_zero_is_accepted_and_said(tmp_path, log):
    categories = [{'id': number, 'name': str(number)} for number in range(1, 11)]
    assert labels(build(write(tmp_path, categories, names=('7', '10')))) == [7, 0]
    assert "'10' is taken for zero" in log.text


@pytest.mark.parametrize(
    ('categories', 'said'),
    [
        (IN_ORDER[:9], 'missing: 9'),
        ([*IN_ORDER, {'id': 11, 'name': 'plate'}], 'unknown: plate'),
        ([*IN_ORDER[:9], {'id': 10, 'name': 'nine'}], 'missing: 9; unknown: nine'),
        ([*IN_ORDER, {'id': 11, 'name': '10'}], 'unknown: 10'),
        ([*IN_ORDER, {'id': 11, 'name': '3'}], 'repeated: 3'),
        ([], 'found:    none'),
    ],
)
def test_other_names_are_an_error_that_shows_both_lists(tmp_path, categories, said):
    with pytest.raises(InputError) as error:
        map_categories(categories, 'some.json')
    assert said in str(error.value)
    assert 'expected: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9' in str(error.value)
    assert 'some.json' in str(error.value)


def test_names_may_be_numbers():
    assert map_categories([{'id': d + 1, 'name': d} for d in range(10)], 'x') == list(range(1, 11))


def test_small_images_are_kept(tmp_path):
    root = write(tmp_path, size=(12, 9), names=('4',), boxes=[[2, 1, 4, 6]])
    assert len(build(root, filter_cfg=dict(filter_empty_gt=True, min_size=0))) == 1


def test_left_out_boxes_and_class_counts_are_logged(tmp_path, log):
    boxes = [[2, 3, 8, 14], [12, 3, 0.5, 14], [60, 3, 8, 14], [36, 3, 8, 14]]
    dataset = build(write(tmp_path, names=('7', '1', '2', '9'), boxes=boxes))
    assert labels(dataset) == [7, 9]
    assert '1 images, 2 boxes' in log.text
    assert '1 boxes under 1 px wide or high' in log.text
    assert '1 boxes outside their image' in log.text


@pytest.mark.parametrize(
    ('values', 'said', 'kept'),
    [
        (dict(ignore=1), '1 boxes marked as ignore', [0]),
        (dict(area=0), 'left out: nothing', [7, 0]),
    ],
)
def test_what_the_fields_of_a_box_do_is_logged(tmp_path, log, values, said, kept):
    path = write(tmp_path) / 'train.json'
    content = json.loads(path.read_text())
    content['annotations'][0].update(values)
    path.write_text(json.dumps(content))
    assert labels(build(tmp_path)) == kept
    assert said in log.text


def test_box_of_an_undefined_category_is_an_error(tmp_path):
    path = write(tmp_path) / 'train.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['category_id'] = 77
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r'train\.json(?s:.*)no such category_id \(77\)'):
        build(tmp_path)


def test_left_out_images_are_logged(tmp_path, log):
    root = write(tmp_path, size=(12, 9), names=('4',), boxes=[[2, 1, 4, 6]])
    with pytest.raises(InputError, match=r'train\.json: no image is left'):
        build(root, filter_cfg=dict(min_size=32))
    assert '1 images that filter_cfg excludes' in log.text


@pytest.mark.parametrize(
    ('bbox', 'reason'),
    [
        ([0, 0, 1, 1], None),
        ([0, 0, 0.99, 1], 'under 1 px'),
        ([0, 0, 5, 0], 'under 1 px'),
        ([-4, 0, 4, 4], 'outside'),
        ([-4, 0, 5, 4], None),
        ([10, 0, 4, 4], 'outside'),
        ([0, 20, 4, 4], 'outside'),
        ([9, 19, 4, 4], None),
    ],
)
def test_drop_reason(bbox, reason):
    found = drop_reason(bbox, width=10, height=20)
    assert (found is None) if reason is None else (reason in found)


@pytest.mark.parametrize('missing', ['images', 'annotations', 'categories'])
def test_a_file_without_one_of_its_lists_is_named(tmp_path, missing):
    path = write(tmp_path) / 'train.json'
    content = json.loads(path.read_text())
    del content[missing]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf'train\.json: lacks {missing}'):
        build(tmp_path)


def test_broken_json_is_named_with_its_line(tmp_path):
    path = write(tmp_path) / 'train.json'
    path.write_text('{"images": [\n 1,, ]}')
    with pytest.raises(InputError, match=r'train\.json: not valid JSON\.\n.*line 2, column 4'):
        build(tmp_path)


def test_truncated_image_is_named(tmp_path):
    image = write(tmp_path) / 'train' / '1.png'
    image.write_bytes(image.read_bytes()[:60])
    with pytest.raises(InputError, match=r'1\.png: cannot be decoded[\s\S]*found:    60 bytes'):
        build(tmp_path)[0]


def test_missing_image_is_named(tmp_path):
    (write(tmp_path) / 'train' / '1.png').unlink()
    with pytest.raises(InputError, match=r'1\.png: no such image'):
        build(tmp_path)[0]


def test_image_of_another_size_than_stated_is_an_error(tmp_path):
    root = write(tmp_path)
    cv2.imwrite(str(root / 'train' / '1.png'), np.zeros((40, 20, 3), np.uint8))
    with pytest.raises(InputError, match=r'found:    20 x 40[\s\S]*expected: 40 x 20'):
        build(root)[0]


def test_classes_are_the_digits_in_order():
    assert DIGITS == ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')


PLATE = {'id': 11, 'name': 'plate'}


def test_a_category_without_boxes_is_left_out_with_one_line(tmp_path, log):
    assert labels(build(write(tmp_path, [{'id': 0, 'name': 'digits'}, *IN_ORDER]))) == [7, 0]
    assert 'categories left out, without boxes: digits' in log.text


def test_a_category_with_boxes_is_an_error_unless_ignored(tmp_path):
    root = write(tmp_path, [*IN_ORDER, PLATE], names=('7', 'plate', '0'))
    with pytest.raises(InputError, match=r"ignore_classes=\['plate'\] of the data set"):
        build(root)
    dataset = build(root, ignore_classes=['plate'])
    assert labels(dataset) == [7, 0]
    assert dataset.metainfo['ignore_classes'] == ('plate',)


def test_a_file_of_some_digits_is_supported_and_said(tmp_path, log):
    some = [{'id': 5, 'name': '7'}, {'id': 9, 'name': '0'}, {'id': 1, 'name': '3'}]
    assert labels(build(write(tmp_path, some))) == [7, 0]
    assert 'no category, and so no box, of 1, 2, 4, 5, 6, 8, 9' in log.text


def test_classes_that_are_some_of_the_digits(tmp_path):
    some = [IN_ORDER[7], IN_ORDER[0]]
    dataset = build(write(tmp_path, some), metainfo=dict(classes=('0', '7')))
    assert labels(dataset) == [1, 0]


def test_ids_of_text_and_missing_fields_are_read(tmp_path, log):
    path = write(tmp_path) / 'train.json'
    content = json.loads(path.read_text())
    for box in content['annotations']:
        box['image_id'] = '1'
        del box['area'], box['iscrowd']
    path.write_text(json.dumps(content))
    assert labels(build(tmp_path)) == [7, 0]
    assert "image_id of 2 annotations is read, e.g. '1' as 1; area of 2" in log.text


def test_a_file_of_images_only_is_a_test_set(tmp_path):
    path = write(tmp_path) / 'train.json'
    path.write_text(json.dumps({'images': json.loads(path.read_text())['images']}))
    dataset = build(tmp_path, test_mode=True)
    assert labels(dataset) == []
    assert dataset[0]['data_samples'].img_id == 1
