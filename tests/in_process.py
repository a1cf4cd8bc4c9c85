"""Run a tool of the repository in this process: to import torch and mmdet takes 4 s a time."""

import contextlib
import gc
import io
import multiprocessing
import os
import random
import runpy
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from mmengine.registry import init_default_scope
from mmengine.utils import ManagerMixin
from torch.utils.data import dataloader

TOOLS = Path(__file__).resolve().parents[1] / 'tools'


@dataclass(frozen=True)
class Outcome:
    """How a tool ended: its exit status, and what it wrote."""

    status: int
    stdout: str
    stderr: str


def run_in_process(tool: str, arguments: list[str], cwd: Path) -> Outcome:
    """Run a tool as ``python tools/TOOL ARGUMENTS...`` in a folder; leave this process as it was.

    An exception that the tool lets through is printed with its traceback, as Python does.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    with as_a_process_of_its_own(), contextlib.chdir(cwd):
        sys.argv = [str(TOOLS / tool), *arguments]
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = _status_of(TOOLS / tool)
    return Outcome(status, stdout.getvalue(), stderr.getvalue())


def _status_of(tool: Path) -> int:
    try:
        runpy.run_path(str(tool), run_name='__main__')
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return stop.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def as_a_process_of_its_own() -> Iterator[None]:
    """Put back what a tool changes for its whole process."""
    argv, path, environment = sys.argv, sys.path.copy(), os.environ.copy()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    generators = random.getstate(), np.random.get_state(), torch.get_rng_state()
    os.environ.pop('DIGITS_DATA_ROOT', None)
    try:
        with fresh_singletons(), warnings.catch_warnings():
            yield
    finally:
        end_data_workers()
        sys.argv, sys.path[:] = argv, path
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        random.setstate(generators[0])
        np.random.set_state(generators[1])
        torch.set_rng_state(generators[2])
        pyplot.close('all')


def end_data_workers() -> None:
    """End the data workers that a training keeps, as the end of its process would.

    Collected as garbage some runs later, their loader would close pipes that are closed, or what
    has their numbers by then.
    """
    if multiprocessing.active_children():
        loading = dataloader._MultiProcessingDataLoaderIter
        for iterator in [each for each in gc.get_objects() if type(each) is loading]:
            iterator._shutdown_workers()


@contextlib.contextmanager
def fresh_singletons() -> Iterator[None]:
    """Hide MMEngine's loggers, message hubs, visualizers and default scope, and put them back."""
    before = {cls: cls._instance_dict.copy() for cls in managed_classes(ManagerMixin)}
    for cls in before:
        cls._instance_dict.clear()
    init_default_scope('mmdet')
    try:
        yield
    finally:
        for cls in managed_classes(ManagerMixin):
            for instance in cls._instance_dict.values():
                for handler in getattr(instance, 'handlers', ()):
                    handler.close()
            cls._instance_dict.clear()
            cls._instance_dict.update(before.get(cls, {}))


def managed_classes(cls: type) -> Iterator[type]:
    """All classes below one, at any depth."""
    for below in cls.__subclasses__():
        yield below
        yield from managed_classes(below)
