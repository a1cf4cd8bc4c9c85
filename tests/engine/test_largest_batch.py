import pytest
import torch
from mmdet.models.detectors import FasterRCNN
from mmengine.config import Config
from tiny_runs import REPOSITORY

from mmdet_digits.engine.largest_batch import (
    largest_batch,
    largest_fitting,
    parse_memory,
    train_on_noise,
    training_scale,
)
from mmdet_digits.utils.errors import InputError


@pytest.fixture
def cfg():
    return Config.fromfile(REPOSITORY / 'configs/digits/frcnn_tiny.py')


@pytest.mark.parametrize('start', [1, 3, 64])
@pytest.mark.parametrize('largest', [0, 1, 2, 3, 63, 64, 65, 99, 100, 101, 1000])
def test_largest_fitting(largest, start):
    tried = []

    def fits(number):
        tried.append(number)
        return number <= largest

    assert largest_fitting(fits, start, limit=100) == min(largest, 100)
    assert len(tried) == len(set(tried)) <= 16
    assert all(1 <= number <= 100 for number in tried)


@pytest.mark.parametrize(
    ('text', 'size'),
    [('8GiB', 8 * 2**30), ('8GB', 8 * 10**9), ('6.5 GiB', 6.5 * 2**30), ('500MiB', 500 * 2**20)],
)
def test_memory(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize('text', ['8', 'GiB', '0GiB', '-1GiB', '8gib', '8KiB', '8GiB!', ''])
def test_what_is_no_memory_is_told(text):
    with pytest.raises(InputError, match='not a size'):
        parse_memory(text)


def test_scale_is_that_of_the_training_pipeline(cfg):
    assert training_scale(cfg) == (192, 96)
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', dataset=cfg.train_dataloader.dataset)
    assert training_scale(cfg) == (192, 96)
    small = dict(type='DigitsDataset', pipeline=[dict(type='Resize', scale=(64, 32))])
    both = dict(type='ConcatDataset', datasets=[cfg.train_dataloader.dataset, small])
    assert training_scale(Config(dict(train_dataloader=dict(dataset=both)))) == (192, 96)
    pipeline = cfg.train_dataloader.dataset.dataset.pipeline
    pipeline[:] = [step for step in pipeline if 'Resize' not in step.type]
    with pytest.raises(InputError, match='does not say how large') as error:
        training_scale(cfg)
    assert error.value.found == 'LoadImageFromFile, LoadAnnotations, PackDetInputs'


def test_a_whole_batch_is_trained(cfg, monkeypatch):
    trained, loss = [], FasterRCNN.loss

    def spy(model, inputs, samples):
        trained.append((inputs.shape, [len(sample.gt_instances) for sample in samples]))
        return loss(model, inputs, samples)

    monkeypatch.setattr(FasterRCNN, 'loss', spy)
    train_on_noise(cfg, 3, 'cpu')
    assert trained == [((3, 3, 96, 192), [6, 6, 6])]


@pytest.mark.skipif(torch.cuda.is_available(), reason='has a CUDA device')
def test_without_a_gpu_it_says_that_it_needs_one(cfg):
    with pytest.raises(InputError, match='only be measured on a GPU'):
        largest_batch(cfg, 2**30, limit=8)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_more_memory_holds_more_images(cfg):
    few, more = (largest_batch(cfg, size, limit=128) for size in (2**29, 2**30))
    assert 1 <= few < more
