"""A training that is as long as the time there is, with a schedule that is as long as it."""

import math

from mmengine.config import Config
from variants import changed, run_options

MARGIN = 0.85  # of the images that the pace promises
DRAWN = 30_062  # scenes in an epoch: as many as HW2 has images


def images_in(seconds: float, start_up: float, pace: float) -> int:
    """How many images a training can see.

    Args:
        seconds: of the training with all that belongs to it.
        start_up: seconds that are not training: start, checkpoint.
        pace: seconds per image.
    """
    return max(0, int((seconds - start_up) * MARGIN / pace))


def epochs_of(images: int, available: int, batch: int) -> tuple[int, int]:
    """Epochs, and the images of each, that come to a number of images or a little less.

    Args:
        images: to be seen.
        available: images of the data set. Fewer than these are one epoch of whole batches.
        batch: images per step.
    """
    if images >= available:
        return images // available, available
    return 1, min(available, max(1, images // batch) * batch)


def steps_of(epochs: int, images: int, batch: int) -> int:
    """How many steps so many epochs of so many images have."""
    return epochs * math.ceil(images / batch)


def plan_training(cfg: Config, epochs: int, images: int, mixed: bool) -> Config:
    """A config of so many epochs of so many images; its schedule is as long.

    Only the last weights are saved, and nothing is validated: the test does that.

    Args:
        cfg: a config.
        epochs: how many.
        images: of each epoch, the first ones of the data set.
        mixed: whether to train in mixed precision.
    """
    steps = steps_of(epochs, images, cfg.train_dataloader.batch_size)
    interval = min(cfg.default_hooks.logger.interval, max(1, steps // 5))
    options = {
        **run_options(cfg, epochs, images),
        'train_cfg.val_begin': epochs + 1,
        'default_hooks.checkpoint.interval': epochs,
        'default_hooks.logger.interval': interval,
        'log_processor.window_size': interval,
    }
    cfg = changed(cfg, options)
    cfg.optim_wrapper = in_precision(cfg.optim_wrapper, mixed)
    for scheduler in cfg.param_scheduler:
        if not scheduler.get('by_epoch', True):  # the warm-up
            scheduler.end = max(3, min(scheduler.end, steps // 10))
    return cfg


def in_precision(optim_wrapper: dict, mixed: bool) -> dict:
    """An optimizer's wrapper for mixed precision, or for float32."""
    kept = {key: optim_wrapper[key] for key in optim_wrapper if key not in ('loss_scale', 'dtype')}
    amp = dict(type='PortableAmpOptimWrapper', loss_scale='dynamic', dtype='native')
    return {**kept, **(amp if mixed else dict(type='OptimWrapper'))}


def on_drawn_scenes(cfg: Config) -> Config:
    """A config that is trained on scenes that are drawn meanwhile; it is validated as it was."""
    drawn = dict(
        type='SyntheticDigits',
        length=DRAWN,
        pipeline=cfg.train_dataloader.dataset.pipeline[1:],  # without loading
    )
    cfg = changed(cfg, {})
    cfg.train_dataloader.dataset = drawn
    return cfg
