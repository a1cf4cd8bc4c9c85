"""A training that ends well, whatever ends it: with one message that says why and how to go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging import FileHandler, Logger

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet_digits.engine.hooks.graceful_stop_hook import GracefulStopHook
from mmdet_digits.engine.run_errors import explain
from mmdet_digits.engine.stop_request import StopRequest

ENDINGS = (RuntimeError, MemoryError, OSError, EOFError)
"""What a run without memory, disk or data workers ends with."""


@contextmanager
def surviving(runner: Runner) -> Iterator[None]:
    """Within, a training can be stopped, and what it cannot go on with becomes one message.

    Ctrl-C and SIGTERM end it after the iteration, with a checkpoint to resume from
    (:class:`mmdet_digits.engine.hooks.graceful_stop_hook.GracefulStopHook`). What was logged is on
    the disk when this ends.

    Args:
        runner: before its ``train``.

    Raises:
        Interrupted: a signal asked the run to stop.
        RunError: memory or the disk is full, or a data worker died.
    """
    request, place = StopRequest(), PlaceHook()
    stopper = GracefulStopHook(request)
    runner.register_hook(stopper)
    runner.register_hook(place)
    try:
        with request.listening(), strict_logging(runner.logger):
            try:
                yield
            except ENDINGS:
                if not (request.signal and stopper.waiting):
                    raise
                # the signal reached the data workers as well
                raise stopper.stop(runner, request.signal, runner.iter) from None
    except ENDINGS as error:
        explained = explain(error, runner.cfg, place.stage, place.batch)
        if explained is None:
            raise
        raise explained from error
    finally:
        with suppress(OSError):
            runner.visualizer.close()


class PlaceHook(Hook):
    """Knows where a run is.

    Attributes:
        stage: ``'train'`` or ``'val'``.
        batch: what the data loader gave last, or None.
    """

    priority = 'VERY_HIGH'
    stage = 'train'
    batch = None

    def _before_epoch(self, runner, mode: str = 'train') -> None:
        self.stage, self.batch = mode, None

    def _before_iter(self, runner, batch_idx: int, data_batch=None, mode: str = 'train') -> None:
        self.stage, self.batch = mode, data_batch


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
