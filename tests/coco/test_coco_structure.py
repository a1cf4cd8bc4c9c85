import copy
import gzip
import json

import pytest

from mmdet_digits.coco.structure import check_fields, normalize_coco, read_coco
from mmdet_digits.errors import InputError

COCO = {
    'images': [{'id': n, 'file_name': f'{n}.png', 'width': 40, 'height': 20} for n in (1, 2)],
    'annotations': [
        {'id': n, 'image_id': 2, 'category_id': 7, 'bbox': [1, 2.5, 3, 0]}
        | {'area': 0, 'iscrowd': 0}
        for n in (0, 1)
    ],
    'categories': [{'id': 7, 'name': '3'}, {'id': 8, 'name': 4}],
}


def test_a_sound_file_passes_and_needs_only_the_lists_that_are_read():
    check_fields(COCO, 'x.json')
    check_fields({'images': COCO['images']}, 'x.json', ['images'])


@pytest.mark.parametrize('suffix', ['json', 'json.gz', 'txt'])
def test_read_plain_and_gzipped_whatever_the_name(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    data = json.dumps(COCO).encode()
    for content in (data, gzip.compress(data)):
        path.write_bytes(content)
        assert read_coco(path, classes=('3', '4'), say=pytest.fail) == COCO


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
        check_fields(coco, 'x.json')
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
        check_fields(coco, 'x.json')
    assert found in str(error.value)
    assert 'expected: id (a whole number, there once)' in str(error.value)


def test_many_wrong_entries_are_counted():
    coco = {**COCO, 'images': [{'id': 1}] * 12}
    with pytest.raises(InputError, match=r'images\[2\].*\n +and 9 more\n'):
        check_fields(coco, 'x.json')


def digits(*others):
    """A sound file of one 7, with the ten digits as categories and others before them."""
    return {
        'images': [{'id': 1, 'file_name': '1.png', 'width': 40, 'height': 20}],
        'annotations': [
            {'id': 1, 'image_id': 1, 'category_id': 8, 'bbox': [1, 2, 3, 4], 'area': 12}
            | {'iscrowd': 0}
        ],
        'categories': [*others, *({'id': d + 1, 'name': str(d)} for d in range(10))],
    }


def test_a_sound_file_is_left_as_it_is_without_a_word():
    assert normalize_coco(digits(), 'x.json') == (digits(), [])


@pytest.mark.parametrize(
    ('spoil', 'said'),
    [
        (lambda c: c['images'][0].update(id='1'), "id of 1 images is read, e.g. '1' as 1"),
        (lambda c: c['images'][0].update(width=40.0000004), 'width of 1 images is read'),
        (lambda c: c['images'][0].update(height='20'), "'20' as 20"),
        (lambda c: c['annotations'][0].update(id=1.0), '1.0 as 1'),
        (lambda c: c['annotations'][0].update(image_id='1', category_id='8'), "'8' as 8"),
        (lambda c: c['annotations'][0].update(bbox=['1', 2, ' 3', '4.0']), "' 3'"),
        (lambda c: c['annotations'][0].pop('area'), 'area of 1 annotations is missing'),
        (lambda c: c['annotations'][0].update(area=None), 'width x height of bbox is taken'),
        (lambda c: c['annotations'][0].pop('iscrowd'), 'iscrowd of 1 annotations is missing, 0'),
        (lambda c: c['annotations'][0].update(iscrowd=False), 'False as 0'),
        (lambda c: c['categories'][7].update(name='7 '), "'7 ' as '7'"),
        (lambda c: c['categories'][7].update(name=7.0), '7.0 as 7'),
    ],
)
def test_what_can_be_known_is_read_and_said(spoil, said):
    coco = digits()
    spoil(coco)
    before = copy.deepcopy(coco)
    found, notes = normalize_coco(coco, 'x.json')
    found['categories'][7]['name'] = str(found['categories'][7]['name'])
    assert found == digits()
    assert said in '; '.join(notes)
    assert coco == before


@pytest.mark.parametrize('value', ['x', '1_0', 'nan', '0x1', '\u0661', [1], {}, True, 1.5])
def test_what_cannot_be_known_is_an_error(value):
    coco = digits()
    coco['images'][0]['id'] = value
    with pytest.raises(InputError, match=r'images\[0\]: id'):
        normalize_coco(coco, 'x.json')


@pytest.mark.parametrize(('value', 'expected'), [('yes', 1), ('No', 0), (True, 1), (1, 1)])
def test_ignore_is_one_thing_everywhere(value, expected):
    coco = digits()
    coco['annotations'][0]['ignore'] = value
    assert normalize_coco(coco, 'x.json')[0]['annotations'][0]['ignore'] == expected
    coco['annotations'][0]['ignore'] = 'perhaps'
    with pytest.raises(InputError, match='neither 0 nor 1'):
        normalize_coco(coco, 'x.json')


def test_a_category_without_boxes_is_left_out_with_one_note():
    found, notes = normalize_coco(digits({'id': 0, 'name': 'digits'}), 'x.json')
    assert found == digits()
    assert notes == ['categories left out, without boxes: digits']


def test_a_category_with_boxes_is_an_error_that_says_how_to_leave_it_out():
    coco = digits({'id': 0, 'name': 'plate\u200b'})
    coco['annotations'].append(coco['annotations'][0] | {'id': 2, 'category_id': 0})
    with pytest.raises(InputError) as error:
        normalize_coco(coco, 'x.json')
    assert "have boxes: 'plate\\u200b'" in str(error.value)  # what nobody can see is shown
    assert '--ignore-classes' in error.value.fix and "ignore_classes=['plate" in error.value.fix
    found, notes = normalize_coco(coco, 'x.json', ignore_classes=['plate\u200b'])
    assert found == digits()
    assert notes == ['categories left out, with their boxes: plate\u200b (1)']


def test_some_of_the_digits_are_enough():
    coco = digits()
    coco['categories'] = [{'id': 8, 'name': '7'}, {'id': 3, 'name': '10'}]
    found, notes = normalize_coco(coco, 'x.json')
    assert notes == ['no category, and so no box, of 1, 2, 3, 4, 5, 6, 8, 9']
    assert found['categories'][:3] == [*coco['categories'], {'id': 9, 'name': '1'}]
    assert found['annotations'] == coco['annotations']


def test_images_alone_are_enough_where_that_is_allowed():
    images = {'images': digits()['images']}
    found, notes = normalize_coco(images, 'x.json', images_only=True)
    assert found == digits() | {'annotations': []}
    assert notes == ['no annotations, only images']
    with pytest.raises(InputError, match='lacks annotations'):
        normalize_coco(images, 'x.json')


def test_one_line_is_said(tmp_path):
    coco = digits({'id': 0, 'name': 'digits'})
    for box in coco['annotations']:
        del box['iscrowd']
    (tmp_path / 'a.json').write_bytes(b'\xef\xbb\xbf' + json.dumps(coco).encode())
    said = []
    assert read_coco(tmp_path / 'a.json', say=said.append) == digits()
    assert said == [
        f'{tmp_path}/a.json: iscrowd of 1 annotations is missing, 0 is taken; '
        'categories left out, without boxes: digits.'
    ]
