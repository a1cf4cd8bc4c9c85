import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

TIMES = 6
IMAGES = 4


@pytest.fixture
def seeded(digits_root):
    """Each image six times, its brightness drawn anew each time."""

    def build(seed=1):
        images = dict(
            type='DigitsDataset',
            data_root=str(digits_root),
            ann_file='train.json',
            data_prefix=dict(img='train/'),
            indices=IMAGES,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
                dict(type='CanvasResize', scale=(64, 32)),
                dict(type='PackDetInputs'),
            ],
        )
        repeated = dict(type='RepeatDataset', times=TIMES, dataset=images)
        return DATASETS.build(dict(type='SeededSamples', dataset=repeated, seed=seed))

    return build


def loaded(dataset, epoch, workers=0):
    dataset.set_epoch(epoch)
    loader = DataLoader(dataset, 5, num_workers=workers, collate_fn=pseudo_collate)
    return torch.stack([image for batch in loader for image in batch['inputs']])


def test_the_copies_of_an_image_differ(seeded):
    images = loaded(seeded(), epoch=0)
    assert len(images) == TIMES * IMAGES
    for image in range(IMAGES):
        assert len({copy.numpy().tobytes() for copy in images[image::IMAGES]}) == TIMES


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_they_are_the_same_again_for_any_number_of_workers(seeded, workers):
    assert torch.equal(loaded(seeded(), 2), loaded(seeded(), 2, workers))


def test_another_epoch_or_seed_gives_others(seeded):
    first = loaded(seeded(), 0)
    for other in (loaded(seeded(), 1), loaded(seeded(seed=2), 0)):
        assert not np.array_equal(first, other)


def test_workers_that_stay_are_told_the_epoch(seeded):
    dataset = seeded()
    dataset.set_epoch(0)
    loader = DataLoader(
        dataset, 5, num_workers=2, persistent_workers=True, collate_fn=pseudo_collate
    )
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        images = torch.stack([image for batch in loader for image in batch['inputs']])
        assert torch.equal(images, loaded(seeded(), epoch))
