"""Errors that end a training, of memory, disk or data workers, as one message with a fix."""

import math
import os
import re
import shutil
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging import FileHandler, Logger
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.runner import BaseLoop, Runner, ValLoop

from mmdet_digits.durable_files import NO_SPACE
from mmdet_digits.engine.hooks.graceful_stop_hook import GracefulStopHook
from mmdet_digits.errors import RunError

DEAD_WORKER = r'DataLoader worker \(pid.*?\) (is killed by signal: [^.]*|exited unexpectedly)'
SHARED_MEMORY = Path('/dev/shm')


@contextmanager
def explained_errors(runner: Runner) -> Iterator[None]:
    """Within, what a training cannot go on with is one message, and signals are given back.

    What was logged is on the disk when this ends.

    Args:
        runner: before its ``train``.

    Raises:
        Interrupted: a signal asked the run to stop, and ended its data workers too.
        RunError: memory or the disk is full, or a data worker died.
    """
    hooks = [hook for hook in runner.hooks if isinstance(hook, GracefulStopHook)]
    try:
        with strict_logging(runner.logger):
            yield
    except (RuntimeError, MemoryError, OSError, EOFError) as error:
        place = place_of(error)
        for hook in hooks:
            if hook.signal and place.reads_workers:
                raise hook.stop(runner, runner.iter, place.stage == 'val') from None
        explained = explain(error, runner.cfg, place)
        if explained is None:
            raise
        raise explained from error
    finally:
        for hook in hooks:
            hook.restore_handlers()
        with suppress(OSError):
            runner.visualizer.close()


@contextmanager
def strict_logging(logger: Logger) -> Iterator[None]:
    """Within, a log file that cannot be written is an error of the main thread, and nothing else.

    Python's logging prints a traceback for each line and goes on; TensorBoard's writer raises the
    error in the main thread, after its own thread has printed a traceback.
    """

    def fail(record) -> None:
        raise  # what is being handled

    def hush(args) -> None:
        if not issubclass(args.exc_type, OSError):
            threading.__excepthook__(args)

    handlers = [handler for handler in logger.handlers if isinstance(handler, FileHandler)]
    for handler in handlers:
        handler.handleError = fail
    threading.excepthook = hush
    try:
        yield
    finally:
        threading.excepthook = threading.__excepthook__
        for handler in handlers:
            del handler.handleError


class Place(NamedTuple):
    """Where in a run an error arose.

    Attributes:
        stage: ``'train'`` or ``'val'``.
        batch: what was being worked on, or None.
        reads_workers: whether torch was waiting for what its data workers send.
    """

    stage: str = 'train'
    batch: dict | None = None
    reads_workers: bool = False


def place_of(error: Exception) -> Place:
    """Read off a traceback where an error arose: the innermost loop says the stage."""
    place = Place()
    for frame, _ in traceback.walk_tb(error.__traceback__):
        loop = frame.f_locals.get('self')
        if isinstance(loop, BaseLoop):
            stage = 'val' if isinstance(loop, ValLoop) else 'train'
            place = Place(stage, frame.f_locals.get('data_batch'))
        function = frame.f_globals.get('__name__'), frame.f_code.co_name
        if function == ('torch.utils.data.dataloader', '_get_data'):
            place = place._replace(reads_workers=True)
    return place


def explain(error: Exception, cfg: Config, place: Place) -> RunError | None:
    """The message about an error that the user of a run can do something about.

    Args:
        error: what was raised.
        cfg: of the run.
        place: where it arose. A lost connection is a dead worker's only while workers are read:
            an image may come through one, too.

    Returns:
        The error to raise instead; None for any other one.
    """
    if dead := re.search(DEAD_WORKER, str(error)):
        return worker_died(dead[0], cfg, place)
    if isinstance(error, ConnectionError | EOFError) and place.reads_workers:
        return worker_died(f'{type(error).__name__}, {error}', cfg, place)
    if isinstance(error, OSError):
        return disk_full(error, cfg.work_dir) if error.errno in NO_SPACE else None
    if isinstance(error, torch.OutOfMemoryError):
        return memory_full('the GPU', error, cfg, place)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # torch on a CPU
        return memory_full('this machine', error, cfg, place)
    return None


def disk_full(error: OSError, work_dir: str) -> RunError:
    """The message about a disk without room."""
    free = shutil.disk_usage(work_dir).free
    return RunError(
        f'{error.filename or work_dir}: the disk is full.',
        f'{error.strerror}; {free / 2**20:,.1f} MiB free at {work_dir}',
        'room for logs and checkpoints',
        f'delete old checkpoints, or name another disk by --work-dir{go_on(work_dir)}',
    )


def worker_died(what: str, cfg: Config, place: Place) -> RunError:
    """The message about a data worker that something ended.

    Args:
        what: torch's sentence, with its pid and the signal, or how its connection ended.
        cfg: of the run.
        place: where it was missed.
    """
    loader = f'{place.stage}_dataloader'
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


def memory_full(where: str, error: Exception, cfg: Config, place: Place) -> RunError:
    """The message about memory that ran out.

    Args:
        where: whose memory.
        error: what was raised.
        cfg: of the run.
        place: where it did.
    """
    loader, training = f'{place.stage}_dataloader', place.stage == 'train'
    size = cfg[loader].batch_size
    found = [f'{loader}.batch_size={size}']
    if place.batch:
        height, width = max((image.shape[-2:] for image in place.batch['inputs']), key=math.prod)
        found = [f'{len(place.batch["inputs"])} images in a batch, the largest is ']
        found[0] += f'{width} x {height} pixels'
    if torch.cuda.is_available():
        peak, total = torch.cuda.max_memory_allocated(), torch.cuda.mem_get_info()[1]
        found.append(f'at most {peak / 2**30:.2f} of {total / 2**30:.2f} GiB were in use')
    found.append(str(error).partition('\n')[0] or type(error).__name__)
    options = []
    if size > 1:  # half needs about half of the memory beyond that of the model itself
        options = [f'--cfg-options {loader}.batch_size={size // 2}']
        options[0] += ' --auto-scale-lr  (fits the learning rate to it)' * training
    if where == 'the GPU' and training:
        options.append('--amp  (needs less for each image)')
    options.append('a smaller scale in the Resize of the pipelines')
    return RunError(
        f'The memory of {where} is full.',
        '\n            '.join(found),
        'a batch that fits',
        '\n       or '.join(options) + (start_anew if training else go_on)(cfg.work_dir),
    )


def go_on(work_dir: str) -> str:
    """The line that says how to go on from the last checkpoint of a work dir."""
    checkpoint = last_checkpoint(work_dir)
    if checkpoint is None:
        return '\n       There is no checkpoint yet: the same command starts over.'
    return f'\n       Then go on with: the same command and --resume {checkpoint}'


def start_anew(work_dir: str) -> str:
    """The line that says how to use the last checkpoint where a recipe has to change."""
    checkpoint = last_checkpoint(work_dir)
    if checkpoint is None:
        return go_on(work_dir)
    options = f'--work-dir NEW --cfg-options load_from={checkpoint}'
    return f'\n       Then start anew from the last weights: {options}'


def last_checkpoint(work_dir: str) -> str | None:
    """The checkpoint that a run wrote last, if it wrote one."""
    file = Path(work_dir, 'last_checkpoint')
    return file.read_text(encoding='utf-8').strip() if file.is_file() else None
