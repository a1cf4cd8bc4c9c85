"""Say how much of the training is spent on padding."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook

from mmdet_digits.engine.padding import Padding, padding_of
from mmdet_digits.utils.config_data import pad_size_divisor

MEASURED_BATCHES = 50


@HOOKS.register_module()
class PaddingHook(Hook):
    """Log once, after the first 50 batches, which share of their pixels is padding.

    It is measured on the batches themselves, so it holds for whatever makes them: sampler,
    augmentation, scale.
    """

    def before_train(self, runner) -> None:
        """Start counting."""
        self._batches, self._padding = 0, Padding()
        self._divisor = pad_size_divisor(runner.cfg)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Count one batch, then log once."""
        if self._batches == MEASURED_BATCHES:
            return
        shapes = [tuple(image.shape[-2:]) for image in data_batch['inputs']]
        self._padding += padding_of(shapes, self._divisor)
        self._batches += 1
        if self._batches == MEASURED_BATCHES:
            self._log(runner)

    def after_train(self, runner) -> None:
        """Log what a shorter run had."""
        if 0 < self._batches < MEASURED_BATCHES:
            self._log(runner)

    def _log(self, runner) -> None:
        runner.logger.info(padding_line(self._padding, self._batches, self._divisor))


def padding_line(padding: Padding, batches: int, divisor: int) -> str:
    """The sentence to log.

    Args:
        padding: of the batches that were measured.
        batches: how many they were.
        divisor: what the sides of a batch are multiples of.
    """
    total, differing, rounding = padding.shares()
    return (
        f'Padding is {total:.1%} of the pixels in the first {batches} batches: {differing:.1%} '
        f'because images differ in size, {rounding:.1%} for sides that are multiples of {divisor}.'
    )
