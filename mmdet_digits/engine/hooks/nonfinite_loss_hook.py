"""Stop a training whose loss is no number any more, with all that is needed to find out why."""

import math
from pathlib import Path

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper

from mmdet_digits.engine.batch_dumps import plain, write_dump
from mmdet_digits.engine.batch_reports import image_list
from mmdet_digits.engine.distributed import unwrapped
from mmdet_digits.engine.randomness import random_states
from mmdet_digits.engine.run_errors import start_anew
from mmdet_digits.utils.errors import RunError


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop before the step of an iteration whose loss is NaN or infinite, and keep its batch.

    Every iteration is checked, before the optimizer's step, so the weights stay those that met the
    batch. On CUDA that costs no wait: the verdict is copied to the CPU while the backward pass is
    being queued, and waiting for it is waiting for the forward pass only.

    With a gradient scaler an infinite gradient is how the scale is found; it stops nothing as long
    as the loss is finite. Without one, a gradient norm that ``clip_grad`` found not finite stops
    the run as well.

    ``nonfinite_EPOCH_ITERATION.pth`` beside the log is what
    ``tools/analysis_tools/replay_batch.py`` runs again. Its running statistics of batch norm layers
    may have seen the batch already; in training mode no output depends on them.
    """

    priority = 'HIGH'  # first of all hooks: keeps the random states that the model meets

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
        """Keep what the iteration starts from."""
        self._batch, self._random_states = data_batch, random_states()
        self._losses = None

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Check an iteration without a step: gradients accumulate, or the scaler left it out."""
        if self._losses and not self._finite:
            self._stop(runner, 'loss')

    def _note_losses(self, model, args, output) -> None:
        if model.training and isinstance(output, dict):
            self._losses = model.parse_losses(output)[1]
            self._finite = Verdict(torch.isfinite(self._losses['loss'].detach()))

    def _check_step(self, runner) -> None:
        if self._losses and not self._finite:
            self._stop(runner, 'loss')
        wrapper = runner.optim_wrapper
        measured = wrapper.clip_grad_kwargs and not scaler_of(wrapper)
        if measured and not math.isfinite(logged_norm(runner)):
            self._stop(runner, 'gradient')

    def _stop(self, runner, what: str) -> None:
        losses = {name: value.item() for name, value in self._losses.items()}
        dump = dict(
            epoch=runner.epoch + 1,
            iteration=runner.iter + 1,
            losses=losses,
            inputs=plain(self._batch['inputs']),
            data_samples=plain(self._batch['data_samples']),
            state_dict=plain(unwrapped(runner.model).state_dict()),
            random_states=self._random_states,
            device=next(runner.model.parameters()).device.type,
            precision=precision(runner.optim_wrapper),
            config=runner.cfg.pretty_text,
        )
        rank = f'_rank{runner.rank}' if runner.rank else ''
        path = Path(runner.log_dir, f'nonfinite_{dump["epoch"]}_{dump["iteration"]}{rank}.pth')
        try:
            write_dump(path, dump)
        except RunError:  # the disk is full
            path = None
        raise report(what, dump, step_report(runner), path, start_anew(runner.work_dir))


class Verdict:
    """A tensor of one boolean on its way to the CPU.

    Args:
        flag: on any device.
    """

    def __init__(self, flag: torch.Tensor) -> None:
        self._flag = flag.to('cpu', non_blocking=flag.is_cuda)  # only there it can be waited for
        self._arrived = None
        if flag.is_cuda:
            self._arrived = torch.cuda.Event()
            self._arrived.record()

    def __bool__(self) -> bool:
        """Wait for it, but for nothing that was queued after it."""
        if self._arrived:
            self._arrived.synchronize()
        return bool(self._flag)


def report(what: str, dump: dict, state: list[str], path: Path | None, again: str) -> RunError:
    """The message that a training ends with.

    Args:
        what: ``'loss'`` or ``'gradient'``: what is not finite.
        dump: the batch and what it gave.
        state: what the step would have been like, line by line.
        path: where the dump was written, None if there was no room for it.
        again: how to go on.
    """
    losses = ', '.join(f'{name} {value:.6g}' for name, value in dump['losses'].items())
    images = image_list([sample['metainfo'] for sample in dump['data_samples']])
    fix = (
        'Often the learning rate is too high: lower optim_wrapper.optimizer.lr, or set '
        'optim_wrapper.clip_grad.max_norm'
    )
    if path:
        fix = (
            f'python tools/analysis_tools/replay_batch.py {path}\n'
            f'       names the first module that gives something else. {fix}'
        )
    return RunError(
        f'The {what} is not finite in iteration {dump["iteration"]:,} (epoch {dump["epoch"]}); it '
        'did not reach the weights.',
        '\n            '.join([losses, *state, f'images: {images}']),
        'numbers',
        fix + again,
    )


def step_report(runner) -> list[str]:
    """Say what the step of this iteration would have been like, in two lines."""
    wrapper = runner.optim_wrapper
    step = f'learning rate {wrapper.get_lr()["lr"][0]:.6g}'
    if wrapper.clip_grad_kwargs:
        step += f', last gradient norm {logged_norm(runner):.6g}'
    if isinstance(wrapper, AmpOptimWrapper):
        scaler = scaler_of(wrapper)
        scale = f'loss scale {scaler.get_scale():g}' if scaler else 'no loss scale'
        step += f', {precision(wrapper)} autocast, {scale}'
    weights = dict(unwrapped(runner.model).named_parameters())
    bad = [name for name, weight in weights.items() if not weight.isfinite().all()]
    state = f'{len(bad)} of {len(weights)} not finite, e.g. {bad[0]}' if bad else 'all finite'
    return [step, f'weights before the step: {state}']


def scaler_of(wrapper) -> torch.amp.GradScaler | None:
    """The gradient scaler of an optimizer wrapper, if it has one that is in use."""
    scaler = getattr(wrapper, 'loss_scaler', None)
    return scaler if scaler and scaler.is_enabled() else None


def logged_norm(runner) -> float:
    """The gradient norm that ``clip_grad`` measured last; NaN if it never did."""
    norms = runner.message_hub.log_scalars.get('train/grad_norm')
    return norms.current() if norms else math.nan


def precision(wrapper) -> str | None:
    """The dtype of autocast, e.g. ``'bfloat16'``, or None in full precision."""
    dtype = getattr(wrapper, 'cast_dtype', None)
    if isinstance(wrapper, AmpOptimWrapper):
        dtype = dtype or torch.get_autocast_dtype('cuda')
    return None if dtype in (None, torch.float32) else str(dtype).removeprefix('torch.')
