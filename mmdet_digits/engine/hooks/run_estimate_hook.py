"""Say early how long a training run will take."""

import time
from datetime import timedelta

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook

WARMUP_ITERS = 2
TIMED_ITERS = 3
PATIENCE = timedelta(hours=1)


@HOOKS.register_module()
class RunEstimateHook(Hook):
    """Time the first iterations and log how long the whole training will take.

    Validation is not counted in. On a machine without a GPU, a run of over an hour is told about
    the laptop-sized config. The first two iterations are left out of the timing.
    """

    def before_train(self, runner) -> None:
        """Note where the run starts, which is not 0 when it resumes."""
        self._timed_from = runner.iter + WARMUP_ITERS

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Time the iterations after the warm-up, then log the estimate once."""
        done = runner.iter + 1 - self._timed_from
        if done == 0:
            self._started = time.perf_counter()
        elif done == TIMED_ITERS:
            seconds = (time.perf_counter() - self._started) / TIMED_ITERS
            left = runner.max_iters - runner.iter - 1
            runner.logger.info(estimate(seconds, left, on_gpu=torch.cuda.is_available()))


def estimate(seconds_per_iter: float, iters_left: int, on_gpu: bool) -> str:
    """The sentence to log.

    Args:
        seconds_per_iter: measured time of one training iteration.
        iters_left: iterations still to do.
        on_gpu: whether a GPU does them.
    """
    left = timedelta(seconds=round(seconds_per_iter * iters_left))
    text = (
        f'{seconds_per_iter:.2f} s per iteration: the remaining {iters_left:,} iterations take '
        f'about {left}, validation not counted.'
    )
    if left > PATIENCE and not on_gpu:
        text += ' No GPU was found; configs/digits/frcnn_tiny.py is made for machines without one.'
    return text
