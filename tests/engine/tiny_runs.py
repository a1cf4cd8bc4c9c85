"""Runs of the tiny config, smaller still, for the tests of this folder."""

import itertools
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

import mmdet_digits.register  # noqa: F401

REPOSITORY = Path(__file__).resolve().parents[2]
SCALE = (96, 48)
_number = itertools.count()


def tiny_cfg(work_dir: Path, images: int = 8, batch: int = 4, augmented: bool = False) -> Config:
    """The tiny config on a few images of 96 x 48 px, losses and metrics validated each epoch.

    The data set comes from ``DIGITS_DATA_ROOT``.
    """
    cfg = Config.fromfile(REPOSITORY / 'configs/digits/frcnn_tiny.py')
    data = Config.fromfile(REPOSITORY / 'configs/_base_/datasets/digits_augmented.py')
    if augmented:
        cfg.train_dataloader.dataset.pipeline = data.augmented_pipeline
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'tiny_{next(_number)}'  # else runs of one second share their state
    cfg.val_cfg = dict(type='ValLossLoop')
    cfg.train_cfg.val_interval = 1
    cfg.model.train_cfg.rcnn.sampler.num = 16
    cfg.visualizer.update(name=cfg.experiment_name, vis_backends=[dict(type='LocalVisBackend')])
    cfg.log_level = 'WARNING'
    cfg.custom_hooks = [
        dict(type=f'{name}Hook') for name in ('Execution', 'GracefulStop', 'MissedValidation')
    ]
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(batch_size=batch, num_workers=0, persistent_workers=False)
        loader.dataset.indices = images
        for step in loader.dataset.pipeline:
            if step.type == 'CanvasResize':
                step.scale = SCALE
    return cfg


def build_runner(cfg: Config) -> Runner:
    """The runner of a config, with its validation loop and random weights."""
    cfg.default_hooks.checkpoint.save_best = None  # it needs a training around it
    runner = Runner.from_cfg(cfg)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    runner.model.init_weights()
    return runner
