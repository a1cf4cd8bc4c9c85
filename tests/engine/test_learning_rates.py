"""The learning rate of every config, iteration by iteration, against torch's own schedulers."""

import copy
import math
from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, StepLR

CONFIGS = sorted(Path(__file__).resolve().parents[2].glob('configs/[!_]*/*.py'))
BATCHES = 30  # per epoch
PUBLISHED = 5e-3  # both systems


@MODELS.register_module()
class OneParameter(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='loss'):
        return {'loss': (self.weight * torch.stack(inputs)).sum()}


@DATASETS.register_module()
class Zeros(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self) -> int:
        return BATCHES

    def __getitem__(self, index: int):
        return {'inputs': torch.zeros(1)}


class RecordLearningRate(Hook):
    def __init__(self) -> None:
        self.rates = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        (rate,) = runner.optim_wrapper.get_lr()['lr']
        self.rates.append(rate)


def rates_of(cfg: Config, work_dir: Path) -> list[float]:
    """What the runner of a config steps through, with a model of one parameter."""
    record = RecordLearningRate()
    runner = Runner(
        model=dict(type='OneParameter'),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=1, dataset=dict(type='Zeros'), sampler=dict(type='DefaultSampler')
        ),
        train_cfg=dict(cfg.train_cfg),
        optim_wrapper=dict(optimizer=copy.deepcopy(cfg.optim_wrapper.optimizer)),
        param_scheduler=copy.deepcopy(cfg.param_scheduler),
        default_scope='mmdet',
        custom_hooks=[record],
        default_hooks=dict(checkpoint=None, logger=None),
        visualizer=dict(type='Visualizer', name=f'rates_{cfg.filename}', vis_backends=[]),
        experiment_name=f'rates_{cfg.filename}',
        log_level='ERROR',
    )
    runner.train()
    return record.rates


def by_epoch(scheduler_of, epochs: int) -> list[float]:
    """The rates of a scheduler of torch that is stepped after each epoch."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=PUBLISHED)
    scheduler = scheduler_of(optimizer)
    rates = []
    for _ in range(epochs):
        rates += [optimizer.param_groups[0]['lr']] * BATCHES
        optimizer.step()
        scheduler.step()
    return rates


def warmed_up_cosine(cfg: Config) -> list[float]:
    """A linear warm-up and a cosine at once, both stepped after each iteration."""
    iterations = cfg.train_cfg.max_epochs * BATCHES
    warm_up_cfg = cfg.param_scheduler[0]
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], cfg.optim_wrapper.optimizer.lr)
    warm_up = LinearLR(
        optimizer,
        start_factor=warm_up_cfg.start_factor,
        total_iters=warm_up_cfg.end - 1,  # MMEngine counts the values, torch the steps
    )
    cosine = CosineAnnealingLR(optimizer, T_max=iterations)
    rates = []
    for _ in range(iterations):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        warm_up.step()
        cosine.step()
    return rates


def step(epochs: int):
    return lambda _: by_epoch(lambda optimizer: StepLR(optimizer, 10, 0.1), epochs)


def cosine(half_period: int):
    return lambda _: by_epoch(lambda optimizer: CosineAnnealingLR(optimizer, half_period), 15)


EXPECTED = {
    'cascade_rcnn_r50': step(30),
    'dino_r50': warmed_up_cosine,
    'rtmdet_tiny': warmed_up_cosine,
    'frcnn_tiny': warmed_up_cosine,
    'frcnn_tiny_endless': warmed_up_cosine,
    'frcnn_tiny_synthetic': warmed_up_cosine,
    'frcnn_tiny_synthetic_256': warmed_up_cosine,
    'frcnn_tiny_best': warmed_up_cosine,
    'frcnn_tiny_384': warmed_up_cosine,
    'frcnn_tiny_weak': warmed_up_cosine,
    'frcnn_lite0_best': warmed_up_cosine,
    'frcnn_synthetic': warmed_up_cosine,
    'frcnn_best': warmed_up_cosine,
    'frcnn_fp32': step(30),
    'frcnn_amp': step(15),
    'frcnn_v2_fp32': step(30),
    'frcnn_v2_amp': step(15),
    'frcnn_aug_cosine': cosine(10),
    'frcnn_aug_cosine15': cosine(15),
    'frcnn_aug_cosine_frozen': cosine(10),
    'frcnn_aug_cosine_noaug': cosine(10),
}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_learning_rates_are_torchs(path, tmp_path):
    assert path.stem in EXPECTED, 'say here which schedule of torch the new config follows'
    cfg = Config.fromfile(path)
    rates, expected = rates_of(cfg, tmp_path), EXPECTED[path.stem](cfg)
    assert len(rates) == len(expected)
    difference = max(abs(a - b) for a, b in zip(rates, expected, strict=True))
    assert difference <= 1e-12


def test_published_cosine_rises_again_and_the_other_does_not():
    faithful, sensible = (cosine(half_period)(None)[::BATCHES] for half_period in (10, 15))
    assert faithful[10] == pytest.approx(0)
    assert faithful[11:] == sorted(faithful[11:])
    assert faithful[14] == pytest.approx(PUBLISHED * (1 - math.cos(0.4 * math.pi)) / 2)
    assert sensible == sorted(sensible, reverse=True)
