"""Log how much memory a run has needed at most."""

import re
import sys
from pathlib import Path

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook

PROCESS_STATUS = Path('/proc/self/status')


@HOOKS.register_module()
class PeakMemoryHook(Hook):
    """Log the peak memory so far, in MiB, as the scalar ``peak_memory`` of the training.

    On CUDA it is what PyTorch has allocated on this rank's device, on a CPU the resident memory of
    the process, with Python and PyTorch in it but without the data workers. Training and
    validation both count. MMEngine's own ``memory`` exists on CUDA only and starts afresh with each
    log line. Where the system tells no peak (Windows), nothing is logged.
    """

    priority = 'NORMAL'  # before LoggerHook, which resets CUDA's peak

    def __init__(self) -> None:
        self._peak = 0.0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Update the scalar."""
        peak = cuda_peak_mib() if torch.cuda.is_available() else process_peak_mib()
        if peak is not None:
            self._peak = max(self._peak, peak)
            runner.message_hub.update_scalar('train/peak_memory', self._peak, resumed=False)

    after_val_iter = after_train_iter


def cuda_peak_mib() -> float:
    """The most memory allocated on the current CUDA device since its peak was last reset."""
    return torch.cuda.max_memory_allocated() / 2**20


def process_peak_mib() -> float | None:
    """The most resident memory that this process has had; None where the system does not tell."""
    if PROCESS_STATUS.is_file():  # Linux; getrusage would count the process that started this one
        status = PROCESS_STATUS.read_text(encoding='utf-8')
        high_water = re.search(r'^VmHWM:\s*(\d+) kB', status, re.MULTILINE)
        if high_water:
            return int(high_water[1]) / 2**10
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == 'darwin' else 2**10  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
