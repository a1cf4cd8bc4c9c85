"""A broken image or box stops a run with its path, or is skipped, told once and counted."""

import json
import shutil

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmdet_digits.coco.structure import is_bbox
from mmdet_digits.errors import InputError

PIPELINE = [
    dict(type='LoadCheckedImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
IMAGES = 48


@pytest.fixture
def root(digits_root, tmp_path):
    """A copy of the training set, free to be broken."""
    shutil.copytree(digits_root / 'train', tmp_path / 'train')
    shutil.copy(digits_root / 'train.json', tmp_path)
    return tmp_path


def build(root, **kwargs):
    options = dict(data_root=str(root), ann_file='train.json', data_prefix=dict(img='train/'))
    return DATASETS.build(dict(type='DigitsDataset', pipeline=PIPELINE, **options, **kwargs))


def truncate(root, *numbers):
    for number in numbers:
        path = root / 'train' / f'{number}.png'
        path.write_bytes(path.read_bytes()[:50])


def spoil_box(root, image, bbox):
    content = json.loads((root / 'train.json').read_text())
    annotation = next(a for a in content['annotations'] if a['image_id'] == image)
    annotation['bbox'] = bbox
    (root / 'train.json').write_text(json.dumps(content))
    return annotation['id']


def image_ids(dataset, workers=0):
    loader = DataLoader(dataset, batch_size=None, num_workers=workers)
    return [int(data['data_samples'].img_id) for data in loader]


@pytest.fixture
def log(tmp_path):
    """The log file, which data workers write to as well."""
    logger = MMLogger.get_instance(str(tmp_path), log_file=str(tmp_path / 'log'))
    yield (tmp_path / 'log').read_text
    logger.handlers.clear()


def test_default_is_to_stop_and_to_say_how_to_go_on(root):
    truncate(root, 5)
    with pytest.raises(InputError, match=r'train/5\.png: cannot be decoded') as error:
        image_ids(build(root))
    assert 'train_dataloader.dataset.on_broken=skip' in str(error.value)


@pytest.mark.parametrize('bbox', [[1, 2, float('nan'), 4], [1, 2, 3], None, ['a', 2, 3, 4]])
def test_broken_box_stops_with_image_and_annotation(root, bbox):
    number = spoil_box(root, 7, bbox)
    with pytest.raises(InputError, match=r'train/7\.png: broken box') as error:
        image_ids(build(root))
    assert f'in annotation {number}' in str(error.value)
    assert 'train.json' in str(error.value)


@pytest.mark.parametrize('workers', [0, 2])
def test_skipped_images_are_replaced_by_the_next_and_told_once(root, log, workers):
    truncate(root, 5, 6, IMAGES)
    number = spoil_box(root, 9, [1, 2, float('inf'), 4])
    dataset = build(root, on_broken='skip', max_broken_share=0.1)
    expected = list(range(1, IMAGES + 1))
    for broken, other in ((5, 7), (6, 7), (9, 10), (IMAGES, 1)):
        expected[broken - 1] = other
    for _ in range(2):  # epochs
        assert image_ids(dataset, workers) == expected
    for name in ('5.png: cannot be', '6.png: cannot be', f'{IMAGES}.png: cannot be', '9.png: brok'):
        assert log().count(f'train/{name}') == 1
    assert f'annotation {number}' in log()
    assert '4 so far, 4 allowed' in log()


@pytest.mark.parametrize(
    'workers',
    [0, pytest.param(2, marks=pytest.mark.slow)],  # torch takes 10 s to end the workers
)
def test_too_many_broken_images_stop_with_the_first_ten(root, workers):
    truncate(root, *range(10, 30))
    dataset = build(root, on_broken='skip', max_broken_share=0.25)
    with pytest.raises(InputError) as error:
        image_ids(dataset, workers)
    text = str(error.value)
    assert 'train.json: too many broken images' in text
    named = [n for n in range(1, IMAGES + 1) if f'train/{n}.png: cannot be decoded' in text]
    assert len(named) == 10 and set(named) <= set(range(10, 30))
    assert '13 of 48 so far' in text and 'at most 12' in text


def test_a_share_that_is_just_reached_is_not_too_many(root):
    truncate(root, *range(1, 13))
    dataset = build(root, on_broken='skip', max_broken_share=0.25)
    assert image_ids(dataset)[:14] == [13] * 13 + [14]


def test_everything_broken_is_an_error_however_much_is_allowed(root):
    truncate(root, *range(1, IMAGES + 1))
    with pytest.raises(InputError, match='48 of 48 so far'):
        image_ids(build(root, on_broken='skip', max_broken_share=1.0))


def test_validation_always_stops(root):
    with pytest.raises(InputError, match='Validation and testing do not skip broken images'):
        build(root, on_broken='skip', test_mode=True)
    truncate(root, 5)
    with pytest.raises(InputError, match=r'train/5\.png: cannot be decoded') as error:
        image_ids(build(root, test_mode=True))
    assert 'on_broken' not in str(error.value)


@pytest.mark.parametrize(
    ('options', 'found'),
    [
        (dict(on_broken='ignore'), "on_broken='ignore'"),
        (dict(on_broken='skip', max_broken_share=5), 'max_broken_share=5'),
    ],
)
def test_policies_that_do_not_exist(root, options, found):
    with pytest.raises(InputError, match=found):
        build(root, **options)


def test_file_that_is_a_folder_is_named(root):
    (root / 'train' / '5.png').unlink()
    (root / 'train' / '5.png').mkdir()
    with pytest.raises(InputError, match=r'5\.png: cannot be read\.\n  found:    Is a directory'):
        image_ids(build(root))


@pytest.mark.parametrize(
    ('bbox', 'sound'),
    [
        ([1, 2, 3, 4], True),
        ([1.5, -2, 0, 4], True),
        ((1, 2, 3, 4), True),
        ([1, 2, 3, float('inf')], False),
        ([1, 2, 3], False),
        ('1234', False),
        (None, False),
        (np.float64(3), False),
    ],
    ids=str,
)
def test_is_bbox(bbox, sound):
    assert is_bbox(bbox) is sound


@pytest.mark.parametrize('name', ['../train/7.png', 'nul\0.png', 'x' * 300, '\ud800.png'])
def test_names_that_are_not_opened(root, name):
    content = json.loads((root / 'train.json').read_text())
    content['images'][6]['file_name'] = name
    (root / 'train.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match=r'train\.json: the file name .* (stay|NUL|bytes|UTF)'):
        image_ids(build(root))
