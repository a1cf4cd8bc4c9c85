"""Whatever is changed in a sound file: it is refused in one message, or read as what it now says.

The files are read as ``tools/evaluate.py`` and a training read them.
"""

import json
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from mutations import mutated, mutated_text

from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.coco.structure import FIELDS, is_bbox
from mmdet_digits.coco.values import read_values
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.assembly_files import PRESETS
from mmdet_digits.evaluation.offline import evaluate_predictions
from mmdet_digits.evaluation.predictions import KEYS, read_predictions

SIZE = (60, 30)
COCO = {
    'info': {'description': 'three images, the last without digits'},
    'images': [
        {'id': n, 'file_name': f'{n}.png', 'width': SIZE[0], 'height': SIZE[1]} for n in (1, 2, 7)
    ],
    'annotations': [
        {'id': n, 'image_id': image, 'category_id': label, 'bbox': box, 'area': 96.0, 'iscrowd': 0}
        for n, (image, label, box) in enumerate(
            [(1, 4, [2, 3, 8, 12]), (1, 1, [12, 3, 8, 12.5]), (2, 10, [5.5, 4, 8, 12])], start=1
        )
    ],
    'categories': [{'id': n + 1, 'name': digit} for n, digit in enumerate(DIGITS)],
}
PRED = [
    {'image_id': box['image_id'], 'bbox': box['bbox'], 'score': score, 'category_id': 4}
    for box, score in zip(COCO['annotations'], (0.9, 1, 0.25), strict=True)
]
PIPELINE = [dict(type='LoadCheckedImage'), dict(type='PackDetInputs')]
#: A message names the file and says what was found, what was expected and how to go on.
WHOLE = re.compile(r'file\.json: .*\n  found: .*\n  expected: .*\n  fix: ', re.DOTALL)


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    """Where the changed file goes; its folder has the images."""
    return tmp_path_factory.mktemp('mutations') / 'file.json'


@pytest.fixture(scope='module')
def log():
    """All that is logged, in a list of texts."""
    texts = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield texts
    logger.removeHandler(handler)


def refused(read, *arguments):
    """Read a file; returns what was read, or None if it was refused as it should be."""
    try:
        return read(*arguments)
    except InputError as error:
        assert WHOLE.search(str(error)), error
        return None


def check_predictions(file, content, log):
    predictions = refused(read_predictions, file)
    if predictions is None:
        return
    assert predictions.records() == [{key: record[key] for key in KEYS} for record in content]
    annotations = read_annotations_of(file)
    if refused(predictions.to_detections, annotations.image_ids, 'x') is not None:
        evaluate_predictions(predictions, annotations, PRESETS['default'])


def read_annotations_of(file):
    sound = file.with_name('sound.json')
    sound.write_text(json.dumps(COCO))
    return read_annotations(sound)


def check_annotations(file, content, log):
    annotations = refused(read_annotations, file)
    if annotations is None:
        return
    content, _ = read_values(content)
    images = content['images']
    assert annotations.image_ids.tolist() == [image['id'] for image in images]
    assert annotations.file_names == [image['file_name'] for image in images]
    assert annotations.sizes.tolist() == [[image['width'], image['height']] for image in images]
    name_of = {category['id']: str(category['name']) for category in content['categories']}
    boxes, given = annotations.boxes, content['annotations']
    assert boxes.bboxes.tolist() == [box['bbox'] for box in given]
    assert boxes.labels.tolist() == [int(name_of[box['category_id']]) % 10 for box in given]
    evaluate_predictions(read_predictions_of(annotations, file), annotations, PRESETS['default'])


def read_predictions_of(annotations, file):
    sound = file.with_name('pred.json')
    record = PRED[0] | {'image_id': int(annotations.image_ids[0])}
    sound.write_text(json.dumps([record]))
    return read_predictions(sound)


def check_data_set(file, content, log):
    """Each image and box is in the data set, or among those that the log says are left out."""
    log.clear()
    config = dict(ann_file=str(file), data_prefix=dict(img=str(file.parent)), pipeline=PIPELINE)
    config.update(filter_cfg=dict(filter_empty_gt=True, min_size=0), serialize_data=False)
    dataset = refused(DATASETS.build, dict(type='DigitsDataset', **config))
    if dataset is None:
        return
    content, _ = read_values(content)
    (left_out,) = re.findall('  left out: (.*)', '\n'.join(log))
    counts = {what: int(number.replace(',', '')) for number, what in LEFT_OUT.findall(left_out)}
    images = counts.pop('images that filter_cfg excludes', 0)
    assert len(dataset) + images == len(content['images'])
    boxes = [box for image in dataset.data_list for box in image['instances']]
    missing = len(content['annotations']) - len(boxes) - sum(counts.values())
    stopping = [image for image in dataset.data_list if 'broken' in image]  # when it is loaded
    assert bool(missing) == bool(stopping)
    name_of = {category['id']: str(category['name']) for category in content['categories']}
    written = [
        (int(name_of[box['category_id']]) % 10, *box['bbox'])
        for box in content['annotations']
        if is_bbox(box.get('bbox'))
    ]
    for box in boxes:
        x1, y1, x2, y2 = box['bbox']
        assert any(
            label == box['bbox_label'] and (x, y, x + w, y + h) == (x1, y1, x2, y2)
            for label, x, y, w, h in written
        )


LEFT_OUT = re.compile('([0-9,]+) ([a-z][^,]*)')


def to_text(content):
    return json.dumps(content).encode()


def literal(data):
    """What a text says, if it is JSON at all."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def check(file, log, document, checked, examples):
    """Check mutations of a document, of its values and of its text in turn."""

    @settings(max_examples=examples, derandomize=True, deadline=None, database=None)
    @given(st.one_of(mutated(document).map(to_text), mutated_text(document)))
    def check_one(data):
        file.write_bytes(data)
        checked(file, literal(data), log)

    check_one()


AMOUNTS = [300, pytest.param(5_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize('examples', AMOUNTS)
def test_changed_predictions(file, log, examples):
    check(file, log, PRED, check_predictions, examples)


@pytest.mark.parametrize('examples', AMOUNTS)
def test_changed_annotations(file, log, examples):
    check(file, log, COCO, check_annotations, examples)


@pytest.mark.parametrize('examples', AMOUNTS)
def test_changed_data_set(file, log, examples):
    check(file, log, COCO, check_data_set, examples)


def test_what_is_not_changed_is_read(file, log):
    """Else the tests above could pass by refusing everything."""
    file.write_text(json.dumps(PRED))
    assert len(read_predictions(file)) == len(PRED)
    check_predictions(file, PRED, log)
    file.write_text(json.dumps(COCO))
    assert len(read_annotations(file).boxes) == len(COCO['annotations'])
    check_annotations(file, COCO, log)
    check_data_set(file, COCO, log)
    assert list(COCO)[1:] == list(FIELDS)
