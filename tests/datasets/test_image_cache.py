"""Decoded images that are kept are those that would be decoded, whatever happens to the files."""

import logging
import os
import pickle
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmdet_digits.datasets import image_cache
from mmdet_digits.datasets.image_cache import choose_place
from mmdet_digits.datasets.transforms.load_checked_image import LoadCheckedImage
from mmdet_digits.utils.errors import InputError, RunError

PIPELINE = [
    dict(type='LoadCheckedImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]


@pytest.fixture
def root(digits_root, tmp_path):
    """A copy of the training set, free to be changed."""
    shutil.copytree(digits_root / 'train', tmp_path / 'train')
    shutil.copy(digits_root / 'train.json', tmp_path)
    return tmp_path


@pytest.fixture
def decoded(monkeypatch):
    """The paths of the images that were decoded in this process."""
    paths, decode = [], LoadCheckedImage._decode

    def count(self, results):
        paths.append(results['img_path'])
        return decode(self, results)

    monkeypatch.setattr(LoadCheckedImage, '_decode', count)
    return paths


def build(root, cache=None, pipeline=PIPELINE, **kwargs):
    options = dict(data_root=str(root), ann_file='train.json', data_prefix=dict(img='train/'))
    return DATASETS.build(
        dict(type='DigitsDataset', pipeline=pipeline, cache=cache, **options, **kwargs)
    )


def images(dataset, **loading):
    """The packed images of an epoch, and what else is known of them."""
    items = list(DataLoader(dataset, batch_size=None, **loading))
    return [item['inputs'] for item in items], [item['data_samples'].metainfo for item in items]


def assert_same(found, expected):
    assert all(torch.equal(*pair) for pair in zip(found[0], expected[0], strict=True))
    assert found[1] == expected[1]


@pytest.mark.parametrize('place', ['ram', 'folder'])
@pytest.mark.parametrize('workers', [0, 2])
def test_pixels_are_those_of_the_files_and_decoded_once(root, place, workers, decoded):
    expected = images(build(root, 'off'))
    dataset = build(root, str(root / 'kept') if place == 'folder' else place)
    assert_same(images(dataset, num_workers=workers), expected)
    decoded.clear()
    assert_same(images(dataset), expected)  # what workers decoded, this process finds
    assert decoded == []


def test_file_serves_later_runs_and_other_processes(root, decoded):
    expected = images(build(root, str(root / 'kept')))
    decoded.clear()
    later = build(root, str(root / 'kept'))
    assert_same(images(later), expected)
    assert_same(images(pickle.loads(pickle.dumps(later))), expected)
    assert decoded == []
    assert len(list((root / 'kept').iterdir())) == 1


def test_memory_is_not_taken_along_to_a_process_that_is_not_forked(root, decoded):
    dataset = build(root, 'ram')
    expected = images(dataset)
    decoded.clear()
    assert_same(images(pickle.loads(pickle.dumps(dataset))), expected)
    assert len(decoded) == len(dataset)


@pytest.mark.parametrize('place', ['ram', 'folder'])
def test_changed_file_is_decoded_again(root, place):
    dataset = build(root, str(root / 'kept') if place == 'folder' else place)
    before = images(dataset)[0][4]
    path = root / 'train' / '5.png'
    cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
    os.utime(path, ns=(1, 1))
    assert torch.equal(images(dataset)[0][4], 255 - before)


def test_removed_or_broken_file_is_an_error_though_its_pixels_were_kept(root):
    dataset = build(root, 'ram')
    images(dataset)
    (root / 'train' / '5.png').write_bytes(b'no image')
    with pytest.raises(InputError, match=r'5\.png: cannot be decoded'):
        images(dataset)
    (root / 'train' / '5.png').unlink()
    with pytest.raises(InputError, match=r'5\.png: no such image'):
        images(dataset)


def test_damaged_pixels_are_decoded_again(root):
    expected = images(build(root, str(root / 'kept')))
    (path,) = (root / 'kept').iterdir()
    content = bytearray(path.read_bytes())
    content[-1000:] = bytes(1000)  # the last page did not reach the disk
    path.write_bytes(content)
    assert_same(images(build(root, str(root / 'kept'))), expected)


def test_transforms_that_work_in_place_do_not_change_what_is_kept(root):
    dataset = build(root, 'ram')
    expected = images(dataset)
    dataset.pipeline.transforms[0](dataset.get_data_info(0))['img'][:] = 0
    assert_same(images(dataset), expected)


def test_images_decoded_otherwise_do_not_share_a_file(root):
    images(build(root, str(root / 'kept')))
    backend = [dict(PIPELINE[0], imdecode_backend='pillow'), *PIPELINE[1:]]
    build(root, str(root / 'kept'), backend)
    assert len(list((root / 'kept').iterdir())) == 2


def test_images_that_are_no_bytes_are_loaded_as_ever(root):
    floats = [dict(PIPELINE[0], to_float32=True), *PIPELINE[1:]]
    dataset = build(root, 'ram', floats)
    for _ in range(2):
        assert_same(images(dataset), images(build(root, 'off', floats)))


def test_broken_images_are_skipped_as_ever(root):
    (root / 'train' / '5.png').write_bytes(b'no image')
    policy = dict(on_broken='skip', max_broken_share=0.1)
    expected = images(build(root, 'off', **policy))
    dataset = build(root, 'ram', **policy)
    for _ in range(2):
        assert_same(images(dataset), expected)


def test_environment_says_where_and_the_log_too(root, monkeypatch, caplog):
    monkeypatch.setenv('DIGITS_CACHE', str(root / 'kept'))
    logger = MMLogger.get_instance('test_image_cache')  # now the current one, of any level
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO)
    try:
        images(build(root))
        build(root, 'auto')
        monkeypatch.setattr(image_cache, 'free_memory', lambda: 2**20)
        build(root, 'auto')
    finally:
        logger.removeHandler(caplog.handler)
    assert len(list((root / 'kept').iterdir())) == 1
    for text in ('kept in ' + str(root / 'kept'), 'kept in memory', 'and 1 MiB is free'):
        assert caplog.text.count(text) == 1


def test_full_disk_is_one_message(root):
    pytest.importorskip('resource')
    from small_files import small_files

    with small_files(), pytest.raises(RunError, match=r'pixels: not written(?s:.*)file too large'):
        build(root, str(root / 'kept'))
    assert list((root / 'kept').iterdir()) == []


@pytest.mark.parametrize(
    ('wanted', 'needed', 'free', 'place'),
    [
        ('auto', 250, 1000, 'ram'),
        ('auto', 251, 1000, 'off'),
        ('auto', 1, None, 'off'),
        ('ram', 1000, 1000, 'ram'),
        ('ram', 1000, None, 'ram'),
        ('off', 1, 1000, 'off'),
        ('./new', 9999, 1000, './new'),
    ],
)
def test_choose_place(wanted, needed, free, place):
    assert choose_place(wanted, needed, free)[0] == place


@pytest.mark.parametrize(
    ('wanted', 'said'), [('ram', '2 MiB of images, 1 MiB free'), ('RAM', 'auto, ram, off')]
)
def test_places_that_cannot_be(wanted, said):
    with pytest.raises(InputError, match=said):
        choose_place(wanted, 2 * 2**20, 2**20)


def test_annotations_are_one_block_that_workers_share(root):
    dataset = build(root)
    assert dataset.data_list == []  # whose objects every worker would copy to count references
    assert isinstance(dataset.data_bytes, np.ndarray)
