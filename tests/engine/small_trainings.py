"""Trainings of one parameter vector, for what a run does around the model."""

import itertools
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

import mmdet_digits.register  # noqa: F401

_number = itertools.count()


class Line(BaseModel):
    """A vector that moves towards ones."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.zeros(size))

    def forward(self, inputs, mode='tensor'):
        if mode == 'loss':
            return {'loss': (self.vector[:10] - inputs.mean()).square().sum()}
        return [self.vector[0].item()]


class Ones(Dataset):
    def __init__(self, classes=('a', 'b')) -> None:
        self.metainfo = {'classes': classes}

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index):
        return {'inputs': torch.ones(1)}


class Progress(BaseMetric):
    """How far the vector has come: each epoch is better than the one before."""

    default_prefix = ''

    def process(self, data_batch, data_samples) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results) -> dict:
        return {'progress': results[0], 'left': 1 - results[0]}


def small_runner(
    work_dir: Path,
    epochs=3,
    size=10,
    classes=('a', 'b'),
    load_from=None,
    resume=False,
    param_scheduler=None,
    **hook,
) -> Runner:
    """A runner whose ``train`` saves each epoch and the best one, and whose ``test`` loads one.

    Args:
        work_dir: of the run.
        epochs: how many, of one iteration.
        size: of the vector.
        classes: of its data sets.
        load_from: a checkpoint.
        resume: whether to go on from it.
        param_scheduler: instead of steps.
        **hook: arguments of the checkpoint hook.
    """
    name = f'small_{next(_number)}'
    loader = DataLoader(Ones(classes), batch_size=2)
    hook = {
        'type': 'DurableCheckpointHook',
        'interval': 1,
        'save_best': 'progress',
        'rule': 'greater',
        **hook,
    }
    return Runner(
        Line(size),
        str(work_dir),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
        val_cfg={},
        test_cfg={},
        val_evaluator=Evaluator(Progress()),
        test_evaluator=Evaluator(Progress()),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.5)),
        param_scheduler=param_scheduler or dict(type='MultiStepLR', milestones=[2], gamma=0.5),
        default_hooks=dict(checkpoint=hook),
        custom_hooks=[dict(type='MissedValidationHook')],
        load_from=load_from and str(load_from),
        resume=resume,
        log_level='WARNING',
        experiment_name=name,
        visualizer=dict(type='Visualizer', name=name),
        default_scope='mmdet',
    )
