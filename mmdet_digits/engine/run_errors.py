"""What to say when a run meets something that it cannot go on with."""

import math
import os
import re
import shutil
from pathlib import Path

import torch
from mmengine.config import Config

from mmdet_digits.durable_files import NO_SPACE
from mmdet_digits.errors import RunError

DEAD_WORKER = r'DataLoader worker \(pid.*?\) (is killed by signal: [^.]*|exited unexpectedly)'
SHARED_MEMORY = Path('/dev/shm')


def explain(error: Exception, cfg: Config, stage: str, batch: dict | None) -> RunError | None:
    """The message about an error that the user of a run can do something about.

    Args:
        error: what was raised.
        cfg: of the run.
        stage: ``'train'`` or ``'val'``.
        batch: the batch that was being worked on, if one was.

    Returns:
        The error to raise instead; None for any other one.
    """
    loader = f'{stage}_dataloader'
    if isinstance(error, ConnectionError | EOFError):
        return worker_died(f'{type(error).__name__}, {error}', loader, cfg)
    if isinstance(error, OSError):
        return disk_full(error, cfg.work_dir) if error.errno in NO_SPACE else None
    if worker := re.search(DEAD_WORKER, str(error)):
        return worker_died(worker[0], loader, cfg)
    if isinstance(error, torch.OutOfMemoryError):
        return memory_full('the GPU', error, cfg, loader, batch)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # torch on a CPU
        return memory_full('this machine', error, cfg, loader, batch)
    return None


def go_on(work_dir: str) -> str:
    """The line that says how to go on from the last checkpoint of a work dir."""
    last = Path(work_dir, 'last_checkpoint')
    if not last.is_file():
        return '\n       There is no checkpoint yet: the same command starts over.'
    checkpoint = last.read_text(encoding='utf-8').strip()
    return f'\n       Then go on with: the same command and --resume {checkpoint}'


def start_anew(work_dir: str) -> str:
    """The line that says how to use the last checkpoint where a recipe has to change."""
    last = Path(work_dir, 'last_checkpoint')
    if not last.is_file():
        return go_on(work_dir)
    return (
        '\n       Then start anew from the last weights: --work-dir NEW --cfg-options '
        f'load_from={last.read_text(encoding="utf-8").strip()}'
    )


def disk_full(error: OSError, work_dir: str) -> RunError:
    """The message about a disk without room."""
    free = shutil.disk_usage(work_dir).free
    return RunError(
        f'{error.filename or work_dir}: the disk is full.',
        f'{error.strerror}; {free / 2**20:,.1f} MiB free at {work_dir}',
        'room for logs and checkpoints',
        f'delete old checkpoints, or name another disk by --work-dir{go_on(work_dir)}',
    )


def worker_died(what: str, loader: str, cfg: Config) -> RunError:
    """The message about a data worker that something ended.

    Args:
        what: torch's sentence, with its pid and the signal, or how its connection ended.
        loader: name of its data loader in the config.
        cfg: of the run.
    """
    found = f'{loader}.num_workers={cfg[loader].get("num_workers")}'
    if SHARED_MEMORY.is_dir():  # Linux
        free = os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
        shared = shutil.disk_usage(SHARED_MEMORY)
        found += f'; free now: {free / 2**30:.1f} GiB of memory, '
        found += f'{shared.free / 2**30:.2f} of {shared.total / 2**30:.2f} GiB of {SHARED_MEMORY}'
    return RunError(
        f'A data worker died: {what}.',
        found,
        f'workers that live; most often the system ends one when memory or {SHARED_MEMORY} is full',
        'load the images without workers:\n'
        f'         --cfg-options {loader}.num_workers=0 {loader}.persistent_workers=False\n'
        '       or with fewer of them; a container may need more shared memory (docker run '
        f'--shm-size){go_on(cfg.work_dir)}',
    )


def memory_full(
    where: str, error: Exception, cfg: Config, loader: str, batch: dict | None
) -> RunError:
    """The message about memory that ran out.

    Args:
        where: whose memory.
        error: what was raised.
        cfg: of the run.
        loader: name of the data loader in the config whose batches are too large.
        batch: the batch that did not fit, if it was a batch.
    """
    size = cfg[loader].batch_size
    found = [describe_batch(batch) if batch else f'no batch yet; {loader}.batch_size={size}']
    if torch.cuda.is_available():
        peak, total = torch.cuda.max_memory_allocated(), torch.cuda.mem_get_info()[1]
        found.append(f'at most {peak / 2**30:.2f} of {total / 2**30:.2f} GiB were in use')
    found.append(str(error).partition('\n')[0] or type(error).__name__)
    smaller = size // 2  # needs about half of the memory beyond that of the model itself
    options = [f'--cfg-options {loader}.batch_size={smaller}'] if smaller else []
    if smaller and loader == 'train_dataloader':
        options[0] += ' --auto-scale-lr  (fits the learning rate to it)'
    if where == 'the GPU' and loader == 'train_dataloader':
        options.append('--amp  (needs less for each image)')
    options.append('a smaller scale in the Resize of the pipelines')
    return RunError(
        f'The memory of {where} is full.',
        '\n            '.join(found),
        'a batch that fits',
        '\n       or '.join(options)
        + (start_anew if loader == 'train_dataloader' else go_on)(cfg.work_dir),
    )


def describe_batch(batch: dict) -> str:
    """How many images, each (C, H, W), a batch has, and the size of the largest."""
    height, width = max((image.shape[-2:] for image in batch['inputs']), key=math.prod)
    return f'{len(batch["inputs"])} images in a batch, the largest is {width} x {height} pixels'
