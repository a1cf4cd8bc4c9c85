"""Ctrl-C and SIGTERM end a training after its iteration, with a checkpoint to go on from."""

import logging
import os
import signal
import threading
from pathlib import Path

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, EpochBasedTrainLoop

from mmdet_digits.durable_files import write_durably
from mmdet_digits.engine.loops.resumable_train_loop import PROGRESS, ResumableTrainLoop
from mmdet_digits.errors import Interrupted

CHECKPOINT = 'interrupted.pth'
AGAIN = 'Go on with: the same command and --resume'
NAMES = {signal.SIGINT: 'Ctrl-C', signal.SIGTERM: 'SIGTERM'}
CHILD = [signal.SIGCHLD] if hasattr(signal, 'SIGCHLD') else []  # not on Windows


@HOOKS.register_module()
class GracefulStopHook(Hook):
    """End a training after the iteration in which Ctrl-C or SIGTERM asks it to stop.

    A training iteration is finished and a checkpoint written from which a resumed run equals one
    that was never stopped; in the middle of accumulating gradients, which no checkpoint holds, that
    is after the step to come. A stopped validation is repeated by the resumed run; what is saved,
    if its weights are not yet, are the weights that are trained, not those that are validated. A
    second signal ends the run at once. A signal that this process was told to ignore stays ignored.

    Ranks agree to stop: one that is asked stops all. In a thread Python hears no signals. Where an
    exception ends the training, :func:`mmdet_digits.engine.run_errors.explained_errors` gives the
    signals back.

    Attributes:
        signal: the one that asked this process, or None.
        interval: iterations from one agreement of ranks to the next. It waits for all that a GPU
            has to do, so there it is 10; on processors, where it costs nothing, 1.
    """

    priority = 'LOWEST'  # when every other hook is done with the iteration

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.interval = 10 if torch.cuda.is_available() else 1
        self._agreed = 0
        self._saved_iter = 0
        self._handlers = {}

    def before_train(self, runner) -> None:
        """From now on there are iterations to wait for."""
        self._saved_iter = runner.iter
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.getsignal(number) for number in (*NAMES, *CHILD)}
            for number in NAMES:
                if self._handlers[number] is not signal.SIG_IGN:
                    signal.signal(number, self._receive)

    def after_train(self, runner) -> None:
        """No more of them; what an earlier stop saved has a later checkpoint in its place."""
        self.restore_handlers()
        last = Path(runner.work_dir, 'last_checkpoint')
        ended = self._saved_iter == runner.iter and last.is_file()
        saved = last.read_text(encoding='utf-8').strip() if ended else CHECKPOINT
        if is_main_process() and Path(saved).name != CHECKPOINT:
            Path(runner.work_dir, CHECKPOINT).unlink(missing_ok=True)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Note how far the last checkpoint that can be resumed from has come."""
        if 'optimizer' in checkpoint:
            self._saved_iter = checkpoint['meta']['iter']

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Save and stop, if asked to."""
        self._agree(runner.iter + 1)
        if self._agreed and runner.optim_wrapper.should_update():
            raise self.stop(runner, runner.iter + 1)

    def after_val_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Stop, if asked to."""
        self._agree(batch_idx + 1)
        if self._agreed:
            raise self.stop(runner, runner.iter, validating=True)

    def stop(self, runner, iterations: int, validating: bool = False) -> Interrupted:
        """Save a checkpoint, unless there is one of now, and say how to go on from it.

        Args:
            runner: between two iterations.
            iterations: how many are done.
            validating: whether it is in the middle of a validation.
        """
        if validating:
            restore_weights(runner)
        how = f'after iteration {iterations:,} of {runner.max_iters:,}'
        progress = runner.message_hub.get_info(PROGRESS)
        if progress:
            how += ' (epoch {}, batch {} of {})'.format(runner.epoch + 1, *progress)
        if self._saved_iter == iterations:
            how += f'. {AGAIN}'
        elif resumes_at(runner.train_loop, iterations):
            how += f'. {AGAIN} {save(runner, iterations)}'
        else:
            how += (
                '. Nothing was saved: this train_cfg.type can resume only where an epoch begins, '
                f'ResumableTrainLoop anywhere. {AGAIN}'
            )
        self.restore_handlers()
        return interrupted(self._agreed or self.signal, how)

    def restore_handlers(self) -> None:
        """Let signals do what they did before the training."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def _receive(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:
            return  # a data worker, which Ctrl-C reaches too: it ends when the main process ends
        if self.signal:
            how = 'at once. The same command and --resume goes on from the last checkpoint.'
            raise interrupted(number, how)
        self.signal = signal.Signals(number)
        for child in CHILD:  # else torch raises, wherever we are, if data workers died as well
            signal.signal(child, signal.SIG_DFL)
        how = 'stopping as soon as everything is saved; once more stops at once.'
        print_log(f'{NAMES[self.signal]}: {how}', 'current', logging.WARNING)

    def _agree(self, iterations: int) -> None:
        """Note the signal that asked any rank to stop, once in so many iterations."""
        if get_world_size() == 1 or iterations % self.interval == 0:
            number = torch.tensor(float(self.signal or 0))
            all_reduce(number, 'max')
            self._agreed = int(number) or self._agreed


def interrupted(number: int, how: str) -> Interrupted:
    """The exception that ends a run.

    Args:
        number: of the signal that asked for it.
        how: the rest of the sentence.
    """
    return Interrupted(f'Stopped by {NAMES[number]} {how}', 128 + number)


def restore_weights(runner) -> None:
    """Give the model, in the middle of a validation, the weights that are trained.

    Until it ends, ``EMAHook`` has exchanged them with the averaged ones, and would save each as the
    other.
    """
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            hook.after_val_epoch(runner)


def resumes_at(loop: BaseLoop, iterations: int) -> bool:
    """Whether a loop can go on from a checkpoint that was written after so many iterations."""
    by_epoch = isinstance(loop, EpochBasedTrainLoop) and not isinstance(loop, ResumableTrainLoop)
    return not by_epoch or iterations % len(loop.dataloader) == 0


def save(runner, iterations: int) -> Path:
    """Write a checkpoint of a runner between two iterations; returns its path.

    Args:
        runner: the runner.
        iterations: how many are done.
    """
    meta = dict(epoch=runner.epoch, iter=iterations)
    runner.save_checkpoint(runner.work_dir, CHECKPOINT, meta=meta, by_epoch=False)
    path = Path(runner.work_dir, CHECKPOINT)
    write_durably(Path(runner.work_dir, 'last_checkpoint'), str(path).encode())
    return path
