import json
import math

import pytest
from check_samples import failures, make_coco, outcome, table_of

from mmdet_digits.checks.data.structure import read_annotation_file, read_table

NAN, INF = math.nan, math.inf


def broken(entries, key, value, row=1):
    coco = make_coco()
    coco[entries][row][key] = value
    return coco


def test_sound_file_has_every_row_and_no_finding():
    table, checks = read_table(make_coco())
    assert failures(checks) == {}
    assert table.image_ids.tolist() == [1, 2, 3]
    assert table.image_rows.tolist() == [0, 0, 1, 1, 2, 2]
    assert table.bboxes[1].tolist() == [18, 3, 8, 14]
    assert table.ann_sizes.tolist() == [[40, 20]] * 6
    assert outcome(checks, 'structure').found == '3 images, 6 annotations, 10 categories'


@pytest.mark.parametrize(
    ('coco', 'said'),
    [
        ([], 'a list: []'),
        ('COCO', "a str: 'COCO'"),
        (None, 'a NoneType'),
        ({}, 'images is missing; annotations is missing; categories is missing'),
        (make_coco() | {'images': {}}, 'images is {}'),
        (make_coco() | {'categories': None}, 'categories is None'),
        (make_coco() | {'images': []}, '0 images'),
    ],
)
def test_what_is_no_coco_file_is_said(coco, said):
    _, (check,) = read_table(coco)
    assert check.status == 'fail'
    assert said in check.found


@pytest.mark.parametrize(
    ('entries', 'key', 'value', 'said'),
    [
        ('images', 'id', '2', "images[1]: id is '2'"),
        ('images', 'id', 2.0, 'images[1]: id is 2.0'),
        ('images', 'id', True, 'images[1]: id is True'),
        ('images', 'id', 10**400, 'images[1]: id is 1000'),
        ('images', 'id', 2**53 + 2, 'images[1]: id is 9007199254740994'),
        ('images', 'file_name', '', "images[1] (id 2): file_name is ''"),
        ('images', 'file_name', 7, 'images[1] (id 2): file_name is 7'),
        ('images', 'width', '40', "images[1] (id 2): width is '40'"),
        ('images', 'width', 0, 'width is 0'),
        ('images', 'width', -4, 'width is -4'),
        ('images', 'height', 20.5, 'height is 20.5'),
        ('images', 'height', NAN, 'height is nan'),
        ('images', 'height', None, 'height is None'),
        ('annotations', 'id', None, 'annotations[1] (image_id 1): id is None'),
        ('annotations', 'image_id', '1', "annotations[1] (id 3): image_id is '1'"),
        (
            'annotations',
            'category_id',
            [1],
            'annotations[1] (id 3, image_id 1): category_id is [1]',
        ),
        ('annotations', 'bbox', [1, 2, 3], 'bbox is [1, 2, 3]'),
        ('annotations', 'bbox', ['1', 2, 3, 4], "bbox is ['1', 2, 3, 4]"),
        ('annotations', 'bbox', [1, 2, NAN, 4], 'bbox is [1, 2, nan, 4]'),
        ('annotations', 'bbox', [1, 2, INF, 4], 'bbox is [1, 2, inf, 4]'),
        ('annotations', 'bbox', [1, 2, 10**400, 4], 'bbox is [1, 2, 1000'),
        ('annotations', 'bbox', [[1, 2], [3, 4]], 'bbox is [[1, 2], [3, 4]]'),
        ('annotations', 'bbox', {'x': 1}, "bbox is {'x': 1}"),
        ('annotations', 'area', 'large', "area is 'large'"),
        ('annotations', 'iscrowd', 2, 'iscrowd is 2'),
        ('categories', 'id', '2', "categories[1]: id is '2'"),
        ('categories', 'name', None, 'categories[1] (id 2): name is None'),
        ('categories', 'name', ['1'], "categories[1] (id 2): name is ['1']"),
    ],
)
def test_wrong_values_are_named_with_their_place(entries, key, value, said):
    _, checks = read_table(broken(entries, key, value))
    assert failures(checks) == {f'fields of {entries}': 'fail'}
    assert said in outcome(checks, f'fields of {entries}').found


@pytest.mark.parametrize(
    ('entries', 'key'),
    [
        *(('images', key) for key in ('id', 'file_name', 'width', 'height')),
        *(('annotations', key) for key in ('id', 'image_id', 'category_id', 'bbox', 'area')),
        ('annotations', 'iscrowd'),
        *(('categories', key) for key in ('id', 'name')),
    ],
)
def test_missing_fields_are_named(entries, key):
    coco = make_coco()
    del coco[entries][0][key]
    _, checks = read_table(coco)
    assert failures(checks) == {f'fields of {entries}': 'fail'}
    assert f'{key} is missing' in outcome(checks, f'fields of {entries}').found


@pytest.mark.parametrize('entry', [None, 3, 'image', [1, 2]])
def test_entries_that_are_no_objects_are_named(entry):
    coco = make_coco()
    coco['images'].insert(1, entry)
    table, checks = read_table(coco)
    assert f'images[1] is {entry!r}, not an object' in outcome(checks, 'fields of images').found
    assert table.image_ids.tolist() == [1, 2, 3]


def test_what_works_is_not_complained_about():
    coco = make_coco()
    coco['images'][0] |= {'width': 40.0, 'id': -5}
    coco['annotations'][0] |= {'iscrowd': False, 'image_id': -5, 'bbox': [4.5, 3, 8, 14.0]}
    coco['categories'][3]['name'] = 3
    assert failures(read_table(coco)[1]) == {}


def test_counts_and_the_first_ten_are_shown_in_order():
    coco = make_coco(images=30)
    for image in coco['images']:
        image['width'] = None
    found = outcome(read_table(coco)[1], 'fields of images').found
    assert found.startswith('30: images[0] (id 1): width is None, images[1] (id 2)')
    assert found.endswith('images[9] (id 10): width is None and 20 more')


def test_values_are_shown_short_and_printable():
    coco = broken('images', 'file_name', ['\ud800\x1b[31m' * 500])
    found = outcome(read_table(coco)[1], 'fields of images').found
    assert len(found) < 200
    assert found.isprintable()
    assert found.encode()


def test_empty_lists_give_empty_columns():
    coco = make_coco() | {'annotations': [], 'categories': []}
    table = table_of(coco)
    assert table.bboxes.shape == (0, 4)
    assert table.image_rows.tolist() == []


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', 'line 1, column 1'),
        (b'{"images": [\n 1,, ]}', 'line 2, column 4'),
        (b'{"images": [{"id": 1', 'the file ends'),
        (b'\xff\xfe{', 'utf-16'),
        (b'[' * 100_000, 'too deep'),
        (b'[' + b'9' * 5000 + b']', 'digits'),
        (b'\x1f\x8b broken', 'bytes'),
        (b'{"images": 1, "images": 2}', '"images" twice'),
    ],
)
def test_broken_json_is_said_with_its_place(tmp_path, content, said):
    (tmp_path / 'train.json').write_bytes(content)
    coco, check = read_annotation_file(tmp_path / 'train.json')
    assert coco is None
    assert check.status == 'fail'
    assert 'train.json' in check.found and said in check.found


def test_missing_annotation_file_and_a_folder_in_its_place(tmp_path):
    for path in (tmp_path / 'train.json', tmp_path, tmp_path / 'nul\0.json'):
        coco, check = read_annotation_file(path)
        assert (coco, str(check.status)) == (None, 'fail')


def test_what_training_cannot_open_is_said_though_it_can_be_read(tmp_path):
    (tmp_path / 'train.json').write_bytes(b'\xef\xbb\xbf' + json.dumps(make_coco()).encode())
    coco, check = read_annotation_file(tmp_path / 'train.json')
    assert coco == make_coco()
    assert check.status == 'warn' and 'byte order mark' in check.found
