"""What is said about padding is what the model gets."""

from itertools import chain
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.hooks import Hook
from recorded_runs import digest, train
from test_reproducible_training import Interrupt
from tiny_runs import tiny_cfg

from mmdet_digits.engine.padding import Padding, padding_of


@pytest.mark.parametrize(
    ('shapes', 'divisor', 'expected'),
    [
        ([(32, 64)], 32, Padding(2048, 0, 0)),
        ([(32, 64), (32, 64)], 32, Padding(4096, 0, 0)),
        ([(1, 1)], 8, Padding(1, 0, 63)),
        ([(10, 20), (20, 10)], 1, Padding(400, 400, 0)),
        ([(10, 20), (20, 10)], 8, Padding(400, 400, 2 * (24 * 24 - 20 * 20))),
        ([(33, 32)], 32, Padding(33 * 32, 0, 31 * 32)),
    ],
)
def test_padding_of_a_batch(shapes, divisor, expected):
    padding = padding_of(shapes, divisor)
    assert padding == expected
    model = MODELS.build(dict(type='ImgDataPreprocessor', pad_size_divisor=divisor))
    images = [torch.zeros(3, *shape, dtype=torch.uint8) for shape in shapes]
    assert model(dict(inputs=images))['inputs'][:, 0].numel() == padding.pixels


def test_shares_are_of_all_pixels():
    both = Padding(50, 20, 10) + Padding(10, 0, 10)
    assert both == Padding(60, 20, 20)
    assert both.shares() == (0.4, 0.2, 0.2)


class Count(Hook):
    """The pixels that the model got."""

    def __init__(self) -> None:
        self.images = self.all = 0

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        batch = runner.model.data_preprocessor(data_batch)['inputs']
        self.all += batch[:, 0].numel()
        self.images += sum(image[0].numel() for image in data_batch['inputs'])


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    """Eight batches of two images an epoch, in four windows."""
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = tiny_cfg(tmp_path, images=16, batch=2)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_cfg.max_epochs = 2
    cfg.custom_hooks.append(dict(type='PaddingHook'))
    cfg.log_level = 'INFO'
    return cfg


def test_grouped_batches_resume_bit_for_bit_and_their_padding_is_told_once(cfg):
    count = Count()
    steps, end = train(cfg, count)
    lines = [
        line
        for path in Path(cfg.work_dir).glob('*/*.log')
        for line in path.read_text().splitlines()
    ]
    (line,) = [line for line in lines if 'Padding is' in line]
    assert f'Padding is {1 - count.images / count.all:.1%} of the pixels' in line
    assert 'first 16 batches' in line and 'multiples of 8' in line
    first, second = ([steps[i][0] for i in epoch] for epoch in (range(8), range(8, 16)))
    assert sorted(chain(*first)) == sorted(chain(*second))
    assert {*map(frozenset, first)} != {*map(frozenset, second)}

    cfg.work_dir += '/interrupted'
    before, _ = train(cfg, Interrupt(train_iter=11))
    after, resumed_end = train(cfg, resume=True)
    assert {**before, **after} == steps
    assert digest(resumed_end['state_dict']) == digest(end['state_dict'])
