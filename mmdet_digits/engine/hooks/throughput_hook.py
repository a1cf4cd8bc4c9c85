"""Measure how fast a model tests."""

import time

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_reduce
from mmengine.hooks import Hook


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Count the images per second of a test run, from loading to prediction.

    Those of all processes together. The first batch, which also starts the data workers, is left
    out unless it is the only one.

    Attributes:
        images_per_second: the rate, 0 before a test run ended.
    """

    images_per_second = 0.0

    def before_test_epoch(self, runner) -> None:
        """Start the clock."""
        self._images = 0
        self._started = time.perf_counter()

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Count the images of a batch and read the clock."""
        now = time.perf_counter()
        if batch_idx == 0 and len(runner.test_dataloader) > 1:
            self._started = now
            return
        self._images += len(outputs)
        self.images_per_second = self._images / (now - self._started)

    def after_test_epoch(self, runner, metrics=None) -> None:
        """Add up the rates of all processes."""
        total = torch.tensor(self.images_per_second)
        all_reduce(total)
        self.images_per_second = total.item()
