"""Stop a training when asked to, with nothing lost."""

from pathlib import Path

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop

from mmdet_digits.durable_files import write_durably
from mmdet_digits.engine.loops.resumable_train_loop import PROGRESS, ResumableTrainLoop
from mmdet_digits.engine.stop_request import StopRequest, stopped
from mmdet_digits.errors import Interrupted

CHECKPOINT = 'interrupted.pth'
AGAIN = 'Go on with: the same command and --resume'


class GracefulStopHook(Hook):
    """End a run after the iteration in which it was asked to stop.

    A training iteration is finished and a checkpoint written from which a resumed run equals one
    that was never stopped; in the middle of accumulating gradients, which no checkpoint holds, that
    is after the step to come. A stopped validation is repeated by the resumed run; what is saved,
    if its weights are not yet, are the weights that are trained, not those that are validated.

    Args:
        request: whether to stop. Ranks agree on it: one that is asked stops all.

    Attributes:
        interval: iterations from one agreement of ranks to the next. It waits for all that a GPU
            has to do, so there it is 10; on processors, where it costs nothing, 1.
        waiting: whether the run is between two iterations, and waits for a batch.
    """

    priority = 'LOWEST'  # when every other hook is done with the iteration

    def __init__(self, request: StopRequest) -> None:
        self.request = request
        self.interval = 10 if torch.cuda.is_available() else 1
        self.waiting = False
        self._asked = 0
        self._mode = 'train'
        self._saved_iter = 0

    def before_train(self, runner) -> None:
        """From now on there are iterations to wait for."""
        self._saved_iter = runner.iter
        self.request.can_wait = True

    def after_train(self, runner) -> None:
        """No more of them; what an earlier stop saved has a later checkpoint in its place."""
        self.request.can_wait = False
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
        if self._asked and runner.optim_wrapper.should_update():
            raise self.stop(runner, self._asked, runner.iter + 1)
        self.waiting = True

    def after_val_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Stop, if asked to."""
        self._agree(batch_idx + 1)
        if self._asked:
            raise self.stop(runner, self._asked, runner.iter)
        self.waiting = batch_idx + 1 < len(runner.val_dataloader)

    def _before_epoch(self, runner, mode: str = 'train') -> None:
        self.waiting, self._mode = True, mode

    def _before_iter(self, runner, batch_idx: int, data_batch=None, mode: str = 'train') -> None:
        self.waiting = False

    def _after_epoch(self, runner, mode: str = 'train') -> None:
        self.waiting = False

    def stop(self, runner, number: int, iterations: int) -> Interrupted:
        """Save a checkpoint, unless there is one of now, and say how to go on from it.

        Args:
            runner: between two iterations.
            number: of the signal.
            iterations: how many are done.
        """
        self.request.can_wait = False
        if self._mode == 'val':
            restore_weights(runner)
        how = f'after iteration {iterations:,} of {runner.max_iters:,}'
        progress = runner.message_hub.get_info(PROGRESS)
        if progress:
            how += ' (epoch {}, batch {} of {})'.format(runner.epoch + 1, *progress)
        if self._saved_iter == iterations:
            return stopped(number, f'{how}. {AGAIN}')
        if not resumes_at(runner.train_loop, iterations):
            return stopped(
                number,
                f'{how}. Nothing was saved: this train_cfg.type can resume only where an epoch '
                f'begins, ResumableTrainLoop anywhere. {AGAIN}',
            )
        return stopped(number, f'{how}. {AGAIN} {save(runner, iterations)}')

    def _agree(self, iterations: int) -> None:
        """Note the signal that asked any rank to stop, once in so many iterations."""
        if get_world_size() == 1 or iterations % self.interval == 0:
            number = torch.tensor(float(self.request.signal or 0))
            all_reduce(number, 'max')
            self._asked = int(number) or self._asked


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
