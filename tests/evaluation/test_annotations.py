from dataclasses import replace

import numpy as np
import pytest
from coco_samples import make_coco, make_records, save_json
from mmengine.logging import MMLogger

from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.annotations import read_annotations, read_image_ids
from mmdet_digits.evaluation.predictions import parse_records


def test_categories_are_mapped_by_name(tmp_path):
    categories = [
        {'id': 40 - digit, 'name': str(digit)} for digit in (5, 0, 9, 1, 8, 2, 7, 3, 6, 4)
    ]
    coco = make_coco(categories)
    annotations = read_annotations(save_json(tmp_path / 'a.json', coco))
    expected = [40 - box['category_id'] for box in coco['annotations']]
    assert annotations.truth.labels.tolist() == expected
    assert annotations.image_ids.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    'change',
    [
        {'iscrowd': 1},
        {'ignore': 1},
        {'bbox': [10.0, 10.0, 0.5, 20.0]},
        {'bbox': [200.0, 10.0, 5.0, 20.0]},
    ],
)
def test_boxes_that_the_data_set_leaves_out_do_not_count(tmp_path, change):
    coco = make_coco()
    coco['annotations'][0].update(change)
    annotations = read_annotations(save_json(tmp_path / 'a.json', coco))
    assert len(annotations.truth) == len(coco['annotations']) - 1
    assert len(annotations.boxes) == len(coco['annotations'])


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda bboxes: bboxes, None),
        (lambda bboxes: np.add(bboxes, [5, -5, 3, 3]), None),  # over the edge, but not wholly
        (lambda bboxes: np.add(bboxes, [100, 0, 0, 0]), '100% of the 10 boxes lie outside'),
        (lambda bboxes: bboxes - [0, 60, 0, 0], '100% of the 10 boxes lie outside'),
        (lambda bboxes: bboxes * 4, 'of the 10 boxes lie outside their images'),
        (lambda bboxes: bboxes / 100, 'as if they were fractions'),
    ],
)
def test_predictions_that_cannot_be_of_these_images_are_told(tmp_path, monkeypatch, change, said):
    coco = make_coco()
    annotations = read_annotations(save_json(tmp_path / 'ann.json', coco))
    exact = parse_records(make_records(coco, jitter=0), 'pred.json')
    predictions = replace(exact, bboxes=change(exact.bboxes))
    heard = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', heard.append)
    detections = annotations.detections_of(predictions)
    assert len(detections) == len(exact)
    assert len(heard) == bool(said)
    if said:
        assert said in heard[0] and 'pred.json' in heard[0] and 'ann.json' in heard[0]


def test_an_image_set_without_detections_fits(tmp_path):
    annotations = read_annotations(save_json(tmp_path / 'ann.json', make_coco()))
    assert len(annotations.detections_of(parse_records([], 'pred.json', may_be_empty=True))) == 0


def remove(key):
    return lambda coco: coco.pop(key)


def change_box(**fields):
    return lambda coco: coco['annotations'][1].update(fields)


@pytest.mark.parametrize(
    ('spoil', 'said'),
    [
        (remove('categories'), 'lacks categories'),
        (remove('images'), 'lacks images'),
        (remove('annotations'), 'lacks annotations'),
        (
            lambda coco: coco['categories'][9].update(name='nine'),
            'have boxes: .nine.',
        ),
        (lambda coco: coco['categories'][9].update(name='8'), 'have one name: .8.'),
        (lambda coco: coco['images'].clear(), 'no such image_id'),
        (lambda coco: coco['images'].append(coco['images'][0]), 'id 1 for the second time'),
        (lambda coco: coco['images'][2].pop('width'), r'images\[2\]: no width'),
        (lambda coco: coco['annotations'].clear(), 'no annotations in it'),
        (change_box(image_id=99), r'annotations\[1\]: no such image_id'),
        (change_box(category_id=99), 'no such category_id'),
        (change_box(bbox=[1, 2, 3]), 'not four finite numbers'),
        (change_box(bbox=[1, 2, -3, 4]), 'negative width'),
    ],
)
def test_bad_files_are_explained(tmp_path, spoil, said):
    coco = make_coco()
    spoil(coco)
    path = save_json(tmp_path / 'a.json', coco)
    with pytest.raises(InputError, match=said) as error:
        read_annotations(path)
    assert str(error.value).startswith(f'{path}: ') and 'fix:' in str(error.value)


def test_a_list_is_no_annotation_file(tmp_path):
    with pytest.raises(InputError, match=r'lacks images, annotations, categories(?s:.*)a list'):
        read_annotations(save_json(tmp_path / 'a.json', [1]))


def test_ids_need_no_annotations(tmp_path):
    path = save_json(tmp_path / 'test.json', {'images': make_coco()['images']})
    assert read_image_ids(path) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError, match='no images in it'):
        read_image_ids(save_json(tmp_path / 'none.json', {'images': []}))


def test_what_can_be_known_is_read(tmp_path):
    coco, other = make_coco(), make_coco()
    for box in other['annotations']:
        box['image_id'] = str(box['image_id'])
        del box['area'], box['iscrowd']
    other['categories'].append({'id': 99, 'name': 'plate'})
    expected = read_annotations(save_json(tmp_path / 'a.json', coco))
    found = read_annotations(save_json(tmp_path / 'b.json', other))
    assert_same(found.boxes, expected.boxes)
    other['annotations'].append(other['annotations'][0] | {'id': 99, 'category_id': 99})
    path = save_json(tmp_path / 'c.json', other)
    with pytest.raises(InputError, match="'plate'"):
        read_annotations(path)
    assert_same(read_annotations(path, ignore_classes=['plate']).boxes, expected.boxes)


def assert_same(boxes, others):
    for name, values in vars(others).items():
        assert np.array_equal(getattr(boxes, name), values), name


def test_ids_that_are_text(tmp_path):
    images = [image | {'id': str(image['id'])} for image in make_coco()['images']]
    assert read_image_ids(save_json(tmp_path / 'a.json', {'images': images})) == [1, 2, 3, 4, 5, 6]
