"""How fast a model runs, not what it computes: threads, memory, its layout."""

import ctypes
import os
import platform

import joblib
import torch
from mmengine.utils import apply_to
from torch import Tensor
from torch.optim import Optimizer

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
WITH_TENSORS = ('state_dict', 'ema_state_dict', 'optimizer')
"""What of a checkpoint holds tensors of the shapes of the weights."""


def fit_threads() -> None:
    """Let torch use no more threads than this process has processors.

    torch counts those of the machine: in a container that may use 2 of 64 it would start 64
    threads, which wait for each other. ``OMP_NUM_THREADS`` is left its word.
    """
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), joblib.cpu_count()))


def keep_freed_memory() -> bool:
    """Let glibc keep the memory that a step frees for the next one.

    It hands large blocks back to the system, which clears them page by page when they are asked
    for again: a fifth of the time of a small model on a CPU. Peak memory stays; between peaks the
    process keeps what it has. glibc's own variables, ``MALLOC_MMAP_THRESHOLD_`` and others, are
    left their word.

    Returns:
        Whether it will; not without glibc.
    """
    if platform.libc_ver()[0] != 'glibc' or any(key.startswith('MALLOC_') for key in os.environ):
        return False
    libc = ctypes.CDLL(None)
    return all(
        libc.mallopt(option, 2**31 - 1 if option == M_TRIM_THRESHOLD else 2**30)
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD)
    )


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


def use_plain_layout(checkpoint: dict) -> None:
    """Make a checkpoint independent of the layout that its run had in memory.

    Args:
        checkpoint: changed in place; the tensors of the model and of the optimizer are not.
    """
    for key in checkpoint.keys() & set(WITH_TENSORS):
        checkpoint[key] = apply_to(
            checkpoint[key], lambda value: isinstance(value, Tensor), Tensor.contiguous
        )
