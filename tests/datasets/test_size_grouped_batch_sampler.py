import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATA_SAMPLERS, DATASETS
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, InfiniteSampler, pseudo_collate
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

from mmdet_digits.datasets.coco_files import CATEGORIES
from mmdet_digits.datasets.samplers.size_grouped_batch_sampler import (
    SizeGroupedBatchSampler,
    group_by_size,
    resized_shapes,
)
from mmdet_digits.engine.loops.resumable_train_loop import remaining_batches
from mmdet_digits.engine.padding import Padding, padding_of
from mmdet_digits.utils.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
SVHN_BOXES = REPOSITORY.parent / 'shared/data/svhn-boxes/train.json.gz'
RESIZE = dict(type='Resize', scale=(192, 96), keep_ratio=True)
SHAPES = [(10, height) for height in (5, 1, 4, 2, 8, 3, 7, 6)]


def digits(path, *pipeline):
    settings = dict(ann_file=str(path), data_prefix=dict(img=''), pipeline=[*pipeline])
    return dict(type='DigitsDataset', **settings)


def dataset_of(folder, sizes, *resizes, **wrapper):
    """A data set of images of these (width, height), none of which is there."""
    images = [dict(id=i, file_name=f'{i}.png', width=w, height=h) for i, (w, h) in enumerate(sizes)]
    boxes = [
        dict(id=i, image_id=i, category_id=1, bbox=[0, 0, 2, 2], area=4, iscrowd=0)
        for i in range(len(images))
    ]
    coco = dict(images=images, annotations=boxes, categories=CATEGORIES)
    path = folder / 'train.json'
    path.write_text(json.dumps(coco))
    inner = digits(path, *(resizes or [RESIZE]))
    return DATASETS.build(dict(wrapper, dataset=inner) if wrapper else inner)


@pytest.fixture
def dataset(tmp_path):
    """Of 203 images with sizes as different as those of SVHN."""
    rng = np.random.default_rng(0)
    heights = rng.lognormal(np.log(47), 0.5, 203).round()
    widths = (heights * rng.lognormal(np.log(2.2), 0.35, 203)).round()
    return dataset_of(tmp_path, np.stack([widths, heights], axis=1).astype(int).tolist())


def batches_of(dataset, batch_size=4, epoch=0, seed=1, **options):
    sampler = DefaultSampler(dataset, seed=seed)
    sampler.set_epoch(epoch)
    batch_sampler = SizeGroupedBatchSampler(sampler, batch_size, **options)
    batches = list(batch_sampler)
    assert len(batches) == len(batch_sampler)
    return batches


def ranks_of(monkeypatch, processes, *args, **options):
    """The batches of each of several processes."""
    found = []
    for rank in range(processes):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda r=rank: (r, processes))
        found.append(batches_of(*args, **options))
    return found


def share(batches, shapes, divisor):
    padding = (padding_of([shapes[i] for i in batch], divisor) for batch in batches)
    return sum(padding, Padding()).shares()[0]


@pytest.mark.parametrize(
    ('order', 'batch_size', 'window', 'expected'),
    [
        ([], 2, 1, []),
        ([3], 2, 4, [[3]]),
        ([7, 6, 5, 4, 3, 2, 1, 0], 1, 2, [[7], [6], [5], [4], [3], [2], [1], [0]]),
        ([0, 1, 2, 3, 4, 5, 6, 7], 1, 2, [[1], [0], [3], [2], [5], [4], [7], [6]]),
        ([0, 1, 2, 3, 4, 5, 6, 7], 2, 4, [[1, 0], [3, 2], [5, 4], [7, 6]]),  # four batches
        ([0, 1, 2, 3, 4, 5, 6], 2, 1, [[1, 0], [3, 2], [5, 4], [6]]),
        ([1, 1, 0], 2, 1, [[1, 1], [0]]),
    ],
)
def test_windows_are_sorted_and_cut(order, batch_size, window, expected):
    assert group_by_size(order, SHAPES, batch_size, window) == expected


def test_an_epoch_has_at_least_four_windows():
    whole = group_by_size(range(8), SHAPES, 1, window=8)
    assert whole == group_by_size(range(8), SHAPES, 1, window=2)


def test_equal_sizes_keep_their_random_order():
    order = [3, 1, 4, 0, 5, 2, 7, 6]
    assert group_by_size(order, [(9, 9)] * 8, 2, 1) == [[3, 1], [4, 0], [5, 2], [7, 6]]


def test_the_seed_and_the_epoch_decide(dataset):
    first = batches_of(dataset)
    assert batches_of(dataset) == first
    for others in (batches_of(dataset, epoch=1), batches_of(dataset, seed=2)):
        assert others != first
        assert len({*map(frozenset, first)} & {*map(frozenset, others)}) < 3


@pytest.mark.parametrize('processes', [1, 2, 3])
@pytest.mark.parametrize('drop_last', [False, True])
def test_every_image_is_there_once(monkeypatch, dataset, processes, drop_last):
    ranks = ranks_of(monkeypatch, processes, dataset, drop_last=drop_last)
    assert len(set(map(len, ranks))) == 1
    for batches in zip(*ranks, strict=True):
        assert len(set(map(len, batches))) == 1
    indices = [index for batches in ranks for batch in batches for index in batch]
    step = 4 * processes
    filled = -len(dataset) % processes  # by which the sampler evens the processes out
    if drop_last:
        assert len(indices) == (len(dataset) + filled) // step * step
        assert len(indices) - len(set(indices)) <= filled
        assert {len(batch) for batches in ranks for batch in batches} == {4}
    else:
        assert set(indices) == set(range(len(dataset)))
        assert len(indices) == len(dataset) + filled


def test_the_images_that_drop_last_drops_differ(dataset):
    dropped = [
        set(range(203))
        - {i for batch in batches_of(dataset, epoch=e, drop_last=True) for i in batch}
        for e in range(3)
    ]
    assert all(len(images) == 3 for images in dropped)
    assert len(set.union(*dropped)) > 3


def test_processes_share_the_batches_of_one(monkeypatch, dataset):
    dataset = dataset.get_subset(200)  # an even number: no image is there twice
    one = batches_of(dataset, batch_size=8)
    two = ranks_of(monkeypatch, 2, dataset, batch_size=4)
    assert [set(a + b) for a, b in zip(*two, strict=True)] == [*map(set, one)]


def test_what_is_left_of_an_epoch_is_what_would_have_come(dataset):
    sampler = DefaultSampler(dataset, seed=1)
    loader = DataLoader(dataset, batch_sampler=SizeGroupedBatchSampler(sampler, 4))
    sampler.set_epoch(2)
    assert list(remaining_batches(loader, 20).batch_sampler) == batches_of(dataset, epoch=2)[20:]


def test_less_is_padded(dataset):
    shapes = resized_shapes(dataset)
    at_random = share(BatchSampler(DefaultSampler(dataset, seed=1), 4, False), shapes, 1)
    assert share(batches_of(dataset), shapes, 1) < at_random / 2


@pytest.mark.skipif(not SVHN_BOXES.is_file(), reason=f'no {SVHN_BOXES}')
@pytest.mark.parametrize('config', ['frcnn_fp32', 'frcnn_tiny'])
def test_less_than_a_tenth_of_the_pixels_of_svhn_is_padding(tmp_path, config):
    cfg = Config.fromfile(REPOSITORY / f'configs/digits/{config}.py')
    loader, divisor = cfg.train_dataloader, cfg.model.data_preprocessor.pad_size_divisor
    images = json.loads(gzip.decompress(SVHN_BOXES.read_bytes()))['images'][::8]
    resize = loader.dataset.pipeline[2]
    dataset = dataset_of(tmp_path, [(i['width'], i['height']) for i in images], resize)
    batch_sampler = DATA_SAMPLERS.build(
        loader.batch_sampler,
        default_args=dict(sampler=DefaultSampler(dataset, seed=0), batch_size=loader.batch_size),
    )
    shapes = resized_shapes(dataset)
    assert share(batch_sampler, shapes, divisor) < 0.1
    at_random = BatchSampler(batch_sampler.sampler, loader.batch_size, drop_last=False)
    assert share(at_random, shapes, divisor) > 0.12


@pytest.mark.parametrize(
    'resize', [RESIZE, dict(type='CappedResize', scale=(192, 96), max_upscale=1.5)]
)
def test_shapes_are_those_that_are_loaded(digits_root, resize):
    dataset = DATASETS.build(
        dict(
            type='DigitsDataset',
            data_root=str(digits_root),
            ann_file='train.json',
            data_prefix=dict(img='train/'),
            pipeline=[dict(type='LoadCheckedImage'), resize, dict(type='PackDetInputs')],
        )
    )
    loaded = pseudo_collate([dataset[i] for i in range(8)])['inputs']
    assert resized_shapes(dataset)[:8] == [tuple(image.shape[1:]) for image in loaded]


def test_wrapped_data_sets(tmp_path):
    sizes = [(100, 50), (50, 100), (96, 32)]
    expected = [(96, 192), (192, 96), (64, 192)]
    assert resized_shapes(dataset_of(tmp_path, sizes)) == expected
    twice = dataset_of(tmp_path, sizes, type='RepeatDataset', times=2)
    assert resized_shapes(twice) == 2 * expected
    path = tmp_path / 'train.json'
    inner = [digits(path, resize) for resize in (RESIZE, dict(RESIZE, scale=(96, 48)))]
    both = DATASETS.build(dict(type='ConcatDataset', datasets=inner))
    assert resized_shapes(both) == [*expected, (48, 96), (96, 48), (32, 96)]


def test_without_a_resize_images_keep_their_sizes(tmp_path):
    dataset = dataset_of(tmp_path, [(30, 20), (7, 9)], dict(type='PackDetInputs'))
    assert resized_shapes(dataset) == [(20, 30), (9, 7)]


def test_an_entry_with_an_impossible_size_stops_nothing(tmp_path):
    assert len(batches_of(dataset_of(tmp_path, [(10**9, 20), (30, 20)]), batch_size=1)) == 2


@pytest.mark.parametrize(
    ('sampler', 'images', 'found'),
    [
        (InfiniteSampler, dict(type='SyntheticDigits', length=2), 'InfiniteSampler'),
        (DefaultSampler, dict(type='SyntheticDigits', length=2), 'SyntheticDigits'),
        (DefaultSampler, None, 'TensorDataset'),
    ],
)
def test_what_cannot_be_grouped_is_refused(sampler, images, found):
    dataset = DATASETS.build(images) if images else TensorDataset(torch.zeros(3))
    with pytest.raises(InputError, match=found) as error:
        SizeGroupedBatchSampler(sampler(dataset, seed=0), 2)
    assert 'batch_sampler=None' in str(error.value)
