"""Boxes for drawn scenes whose numbers are given, by the weights that come along."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from mmdet.registry import DATASETS
from PIL import Image

from mmdet_digits.boxes import corners, ious
from mmdet_digits.coco.structure import read_coco
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.synthetic import DatasetSpec, write_dataset

IMAGES = 40
DETECTOR = (
    'configs/digits/frcnn_tiny_synthetic_256.py',
    REPOSITORY / 'models/frcnn_tiny_synthetic_256.safetensors',
)


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp('scenes')
    write_dataset(root / 'data', DatasetSpec(IMAGES, 0, 0, seed=1, look='clear'), workers=1)
    return root / 'data'


@pytest.fixture(scope='module')
def truth(scenes):
    """The true digits and boxes of each image by its name, in reading order."""
    coco = read_coco(scenes / 'train.json')
    return {image['file_name']: of_image(coco, image['id']) for image in coco['images']}


def of_image(coco, image_id):
    boxes = [box for box in coco['annotations'] if box['image_id'] == image_id]
    number = ''.join(str(box['category_id'] - 1) for box in boxes)
    return number, corners([box['bbox'] for box in boxes]), [box.get('score') for box in boxes]


def numbers_csv(path, numbers):
    rows = csv.writer(path.open('w', newline=''))
    rows.writerows([('file_name', 'number'), *numbers.items()])


def test_most_images_get_the_boxes_of_their_digits(run_tool, scenes, truth, tmp_path):
    given = {name: number for name, (number, _, _) in truth.items()}
    wrong = sorted(given)[:8]
    for name in wrong:
        given[name] = '31415926'
    numbers_csv(tmp_path / 'numbers.csv', given | {'elsewhere.png': '5'})
    images = shutil.copytree(scenes / 'train', tmp_path / 'train')
    (images / 'cut.png').write_bytes((images / '1.png').read_bytes()[:99])
    outputs = ('-o', 'train_extra.json', '--sheet', 'sheet.png', '--sheet-images', 7)
    options = ('--numbers', 'numbers.csv', '--min-score', 0.1)
    done = run_tool('pseudo_label.py', *DETECTOR, 'train', *options, *outputs, cwd=tmp_path)
    assert done.returncode == 3 and 'train/cut.png' in done.stderr
    assert 'Traceback' not in done.stderr
    assert '1 rows name none of the images' in done.stdout
    for verdict in ('kept as read', 'kept by spelling', 'cannot spell', 'unreadable image'):
        assert verdict in done.stdout
    coco = read_coco(tmp_path / 'train_extra.json')
    found = {image['file_name']: of_image(coco, image['id']) for image in coco['images']}
    assert 0.85 * (IMAGES - len(wrong)) <= len(found) and not found.keys() & set(wrong)
    overlaps = []
    for name, (number, bboxes, scores) in found.items():
        assert number == given[name] and min(scores) >= 0.1
        overlaps.append(ious(bboxes, truth[name][1]).mean())
    assert np.mean(overlaps) >= 0.7
    assert Image.open(tmp_path / 'sheet.png').width > 1000

    dataset = DATASETS.build(
        dict(
            type='DigitsDataset',
            data_root=str(tmp_path),
            ann_file='train_extra.json',
            data_prefix=dict(img='train/'),
            pipeline=[],
        )
    )
    assert sum(len(info['instances']) for info in dataset) == len(coco['annotations'])


def test_without_numbers_what_is_read_with_confidence_is_taken(run_tool, scenes, truth, tmp_path):
    options = ('--min-confidence', 0.9, '-o', 'out.json')
    done = run_tool('pseudo_label.py', *DETECTOR, scenes / 'train', *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'kept as read' in done.stdout and 'low score' in done.stdout
    coco = json.loads((tmp_path / 'out.json').read_text())
    found = {image['file_name']: of_image(coco, image['id']) for image in coco['images']}
    assert 5 <= len(found) < IMAGES
    assert all(np.prod(scores) >= 0.89 for _, _, scores in found.values())
    right = sum(number == truth[name][0] for name, (number, _, _) in found.items())
    assert right >= 0.9 * len(found)


def test_predict_s_own_table_of_numbers_is_one(run_tool, scenes, tmp_path):
    """Its file_name is a path, and its numbers of images where none was read are -1."""
    images = [scenes / 'train' / f'{number}.png' for number in range(1, 9)]
    predicted = run_tool('predict.py', *DETECTOR, *images, '--out', 'out', cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    rows = list(csv.DictReader((tmp_path / 'out' / 'numbers.csv').open()))
    known = sum(row['number'] != '-1' for row in rows)
    options = ('--numbers', 'out/numbers.csv', '-o', 'out.json')
    done = run_tool('pseudo_label.py', *DETECTOR, *images, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    coco = json.loads((tmp_path / 'out.json').read_text())
    assert len(coco['images']) == known
    assert re.search('kept by spelling +│ +0 ', done.stdout)
