"""The switches that decide how fast a model runs, not what it computes."""

import ctypes
import os
import platform

import joblib
import torch
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.utils import apply_to
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from mmdet_digits.engine.distributed import unwrapped

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
WITH_TENSORS = ('state_dict', 'ema_state_dict', 'optimizer')
"""What of a checkpoint holds tensors of the shapes of the weights."""


@HOOKS.register_module()
class ExecutionHook(Hook):
    """Run a model as fast as the machine can, with the same results but for rounding.

    In training, validation and tests. Checkpoints do not depend on it: a run may be resumed with
    other switches. Two things need no switch: torch gets as many threads as the process may use
    processors, and on CUDA the data loaders give pinned memory, from which images are copied while
    the GPU computes.

    benchmarks/switches.py measures each switch. Others are MMEngine's or torch's own: the
    optimizer's ``fused``, ``env_cfg.cudnn_benchmark`` and mixed precision.

    Args:
        channels_last: keep the channels of weights, and so of all feature maps, innermost in
            memory. The kernels for convolutions of CPUs and of GPUs' tensor cores want them there.
        tf32: whether CUDA multiplies float32 numbers with 10 bits of mantissa instead of 23; None
            leaves it to torch, which does so in convolutions only.
        keep_freed_memory: let glibc keep the memory that a step frees for the next one. It hands
            large blocks back to the system, which clears them page by page when they are asked for
            again: 3 % of the time of a small model's training step on one CPU, a fifth on another.
            Peak memory stays; between peaks the process keeps what it has. glibc's own variables,
            ``MALLOC_MMAP_THRESHOLD_`` and others, are left their word.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self,
        channels_last: bool = True,
        tf32: bool | None = None,
        keep_freed_memory: bool = True,
    ) -> None:
        self.channels_last = channels_last
        self.tf32 = tf32
        self.keep_freed_memory = keep_freed_memory

    def prepare(self, model: nn.Module) -> None:
        """Turn the switches for a model, before or after its weights are loaded.

        Args:
            model: a detector, or what wraps one.
        """
        fit_threads()
        if self.keep_freed_memory:
            keep_freed_memory()
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        if self.tf32 is not None:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32

    def before_run(self, runner) -> None:
        """Turn the switches, before weights are loaded.

        What distributes a model has to be built again: it has noted how the weights lie in memory,
        and would mix up the gradients of the first step if that changed.
        """
        model = unwrapped(runner.model)
        self.prepare(model)
        if model is not runner.model:
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        runner.logger.info(
            f'Execution: channels {"last" if self.channels_last else "first"}, '
            f'{torch.get_num_threads()} threads.'
        )

    def before_train(self, runner) -> None:
        """Let the state of an optimizer that resumes have the layout of the weights."""
        follow_parameters(runner.optim_wrapper.optimizer)
        pin(runner.train_dataloader)

    def before_val(self, runner) -> None:
        """Prepare the copies of validation."""
        pin(runner.val_dataloader)

    def before_test(self, runner) -> None:
        """Prepare the copies of a test."""
        pin(runner.test_dataloader)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save tensors in the layout that a run without this hook would give them."""
        for key in checkpoint.keys() & set(WITH_TENSORS):
            checkpoint[key] = apply_to(
                checkpoint[key], lambda value: isinstance(value, Tensor), Tensor.contiguous
            )


def fit_threads() -> None:
    """Let torch use no more threads than this process has processors.

    torch counts those of the machine: in a container that may use 2 of 64 it would start 64
    threads, which wait for each other. ``OMP_NUM_THREADS`` is left its word.
    """
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), joblib.cpu_count()))


def keep_freed_memory() -> None:
    """Let glibc, where it is the C library, keep all memory that it has."""
    if platform.libc_ver()[0] == 'glibc' and not any(
        key.startswith('MALLOC_') for key in os.environ
    ):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)


def pin(loader: DataLoader) -> None:
    """Let a data loader that has not started give memory that CUDA copies from by itself."""
    loader.pin_memory = torch.cuda.is_available()


def follow_parameters(optimizer: Optimizer) -> None:
    """Give the state of each parameter, such as its momentum, the memory layout of the parameter.

    After a resume it has that of the checkpoint. Fused optimizers take both as they lie in memory:
    with two layouts they compute wrong weights without a word.

    Args:
        optimizer: its state is changed in place.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if (
                isinstance(value, Tensor)
                and value.shape == parameter.shape
                and value.stride() != parameter.stride()
            ):
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def prepare_as_configured(model: nn.Module, cfg: Config) -> None:
    """Turn the switches of a config for a model that no runner runs.

    Args:
        model: of the config.
        cfg: the config; nothing happens if its ``custom_hooks`` have no ``ExecutionHook``.
    """
    for hook in cfg.get('custom_hooks') or ():
        if hook['type'] == 'ExecutionHook':  # which in configs of earlier weights has more switches
            known = ('channels_last', 'tf32', 'keep_freed_memory')
            ExecutionHook(**{name: hook[name] for name in known if name in hook}).prepare(model)
