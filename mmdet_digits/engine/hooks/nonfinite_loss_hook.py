"""Stop a training whose loss is no number any more."""

import math

from mmdet.registry import HOOKS
from mmengine.hooks import Hook

from mmdet_digits.engine.distributed import unwrapped
from mmdet_digits.engine.run_errors import start_anew
from mmdet_digits.errors import RunError


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop before the step of an iteration whose loss is NaN or infinite.

    Every iteration is checked, before the optimizer's step, so the weights stay those that met the
    batch. The message names images, losses, iteration and seed, from which the same run gives the
    same batch and the same random numbers again.

    With a gradient scaler an infinite gradient is how the scale is found; it stops nothing as long
    as the loss is finite. Without one, a gradient norm that ``clip_grad`` found not finite stops
    the run as well.
    """

    priority = 'HIGH'  # nothing of such an iteration is logged or saved

    def before_train(self, runner) -> None:
        """Look at the losses that the model returns, and in front of each step."""
        model = unwrapped(runner.model)
        optimizer = runner.optim_wrapper.optimizer
        self._handles = [
            model.register_forward_hook(self._note_losses),
            optimizer.register_step_pre_hook(lambda *_: self._check_step(runner)),
        ]

    def after_train(self, runner) -> None:
        """Look no longer."""
        for handle in self._handles:
            handle.remove()

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Keep the batch for the message."""
        self._batch, self._losses = data_batch, {}

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Check an iteration without a step: gradients accumulate, or the scaler left it out."""
        self._check_loss(runner)

    def _note_losses(self, model, args, output) -> None:
        if model.training and isinstance(output, dict):
            self._losses = model.parse_losses(output)[1]

    def _check_loss(self, runner) -> None:
        if self._losses and not self._losses['loss'].isfinite():
            self._stop(runner, 'loss')

    def _check_step(self, runner) -> None:
        self._check_loss(runner)
        wrapper = runner.optim_wrapper
        scaler = getattr(wrapper, 'loss_scaler', None)
        measured = wrapper.clip_grad_kwargs and not (scaler and scaler.is_enabled())
        if self._losses and measured and not math.isfinite(logged_norm(runner)):
            self._stop(runner, 'gradient')

    def _stop(self, runner, what: str) -> None:
        losses = ', '.join(f'{name} {value.item():.6g}' for name, value in self._losses.items())
        step = f'learning rate {runner.optim_wrapper.get_lr()["lr"][0]:.6g}'
        if runner.optim_wrapper.clip_grad_kwargs:
            step += f', last gradient norm {logged_norm(runner):.6g}'
        images = [f'{s.get("img_id")} ({s.get("img_path")})' for s in self._batch['data_samples']]
        found = [losses, step, f'seed: {runner.seed}', f'images: {", ".join(images)}']
        raise RunError(
            f'The {what} is not finite in iteration {runner.iter + 1:,} (epoch '
            f'{runner.epoch + 1}); it did not reach the weights.',
            '\n            '.join(found),
            'numbers',
            'Often the learning rate is too high: lower optim_wrapper.optimizer.lr, or set '
            f'optim_wrapper.clip_grad.max_norm{start_anew(runner.work_dir)}',
        )


def logged_norm(runner) -> float:
    """The gradient norm that ``clip_grad`` measured last; NaN if it never did."""
    norms = runner.message_hub.log_scalars.get('train/grad_norm')
    return norms.current() if norms else math.nan
