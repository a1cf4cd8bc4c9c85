import copy
import gzip
import json

import pytest

from mmdet_digits.coco_structure import check_structure, read_coco
from mmdet_digits.utils.errors import InputError

COCO = {
    'images': [{'id': n, 'file_name': f'{n}.png', 'width': 40, 'height': 20} for n in (1, 2)],
    'annotations': [
        {'id': n, 'image_id': 2, 'category_id': 7, 'bbox': [1, 2.5, 3, 0], 'iscrowd': 0}
        for n in (0, 1)
    ],
    'categories': [{'id': 7, 'name': '3'}, {'id': 8, 'name': 4}],
}


def test_a_sound_file_passes_and_needs_only_the_lists_that_are_read():
    check_structure(COCO, 'x.json')
    check_structure({'images': COCO['images']}, 'x.json', ['images'])


@pytest.mark.parametrize('suffix', ['json', 'json.gz', 'txt'])
def test_read_plain_and_gzipped_whatever_the_name(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    data = json.dumps(COCO).encode()
    for content in (data, gzip.compress(data)):
        path.write_bytes(content)
        assert read_coco(path) == COCO


@pytest.mark.parametrize(
    ('coco', 'found'),
    [
        ([], 'a list'),
        (None, 'a NoneType'),
        ({}, 'a dict'),
        ({'info': 1, 'images': []}, 'info, images'),
        ({**COCO, 'annotations': {}}, 'images, annotations, categories'),
    ],
)
def test_missing_lists_are_named(coco, found):
    with pytest.raises(InputError) as error:
        check_structure(coco, 'x.json')
    assert str(error.value).startswith('x.json: ')
    assert f'  found:    {found}\n' in str(error.value)


def put(name, /, **values):
    return lambda coco: coco[name][1].update(values)


def drop(name, key):
    return lambda coco: coco[name][1].pop(key)


@pytest.mark.parametrize(
    ('spoil', 'found'),
    [
        (lambda coco: coco['images'].append(7), 'images[2]: a int: 7'),
        (lambda coco: coco['categories'].append(None), 'categories[2]: a NoneType'),
        (drop('images', 'id'), 'images[1]: no id: {'),
        (drop('annotations', 'bbox'), 'annotations[1]: no bbox'),
        (drop('categories', 'name'), 'categories[1]: no name'),
        (put('images', id=1), 'images[1]: id 1 for the second time'),
        (put('images', id='2'), "id '2', not a whole number"),
        (put('images', id=True), 'id True'),
        (put('images', id=2.0), 'id 2.0'),
        (put('images', id=2**60), 'id 1152921504606846976'),
        (put('images', file_name=''), "file_name ''"),
        (put('images', width=0), 'width 0'),
        (put('images', height=1.5), 'height 1.5'),
        (put('images', height='9'), "height '9'"),
        (put('annotations', image_id=9), 'no such image_id (9)'),
        (put('annotations', image_id=[2]), 'no such image_id ([2])'),
        (put('annotations', category_id=1), 'no such category_id (1)'),
        (put('annotations', bbox=[1, 2, 3]), 'bbox [1, 2, 3], not four'),
        (put('annotations', bbox='1234'), "bbox '1234', not four"),
        (put('annotations', bbox=[1, 2, float('nan'), 4]), 'not four finite numbers'),
        (put('annotations', bbox=[1e308, 2, 1e308, 4]), 'not four finite numbers'),
        (put('annotations', bbox=[1, 2, -3, 4]), 'negative width or height'),
        (put('annotations', area='3'), "area '3'"),
        (put('annotations', iscrowd='no'), "iscrowd 'no'"),
        (put('annotations', ignore=[]), 'ignore []'),
        (put('categories', id=7), 'id 7 for the second time'),
        (put('categories', name=['4']), "name ['4']"),
    ],
)
def test_wrong_entries_are_shown(spoil, found):
    coco = copy.deepcopy(COCO)
    spoil(coco)
    with pytest.raises(InputError) as error:
        check_structure(coco, 'x.json')
    assert found in str(error.value)
    assert 'expected: id (a whole number, there once)' in str(error.value)


def test_many_wrong_entries_are_counted():
    coco = {**COCO, 'images': [{'id': 1}] * 12}
    with pytest.raises(InputError, match=r'images\[2\].*\n +and 9 more\n'):
        check_structure(coco, 'x.json')
