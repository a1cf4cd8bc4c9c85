"""The schedule of a training that goes on: as long as before, or planned anew."""

import copy

from mmengine.hooks import Hook
from mmengine.optim import ReduceOnPlateauParamScheduler, _ParamScheduler
from mmengine.runner import EpochBasedTrainLoop

from mmdet_digits.engine.loops.resumable_train_loop import PROGRESS
from mmdet_digits.errors import InputError


class ResumedScheduleHook(Hook):
    """Check that the epochs are as long as the checkpoint's; plan a schedule anew if asked to.

    MMEngine's schedulers go on with all values of the checkpoint, its length among them: after a
    cosine to zero, further epochs are trained at zero. Planned anew, those of the config are built
    and stepped to where the checkpoint is. Schedulers that follow a metric stay as they are.

    Args:
        replan: whether the number of epochs is another one.
    """

    def __init__(self, replan: bool) -> None:
        self.replan = replan

    def before_train(self, runner) -> None:
        """Look at what was resumed, and replace the schedulers.

        Raises:
            InputError: the epochs have another length.
        """
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            done, _ = runner.message_hub.get_info(PROGRESS, (0, 0))
            check_epoch_length(runner.epoch, runner.iter - done, len(runner.train_dataloader))
        old = runner.param_schedulers or []
        follows = any(isinstance(s, ReduceOnPlateauParamScheduler) for s in old)
        if self.replan and old and not follows:
            self._plan_anew(runner)

    def _plan_anew(self, runner) -> None:
        for group in runner.optim_wrapper.param_groups:
            for name in [key for key in group if key.startswith('initial_')]:
                group[name.removeprefix('initial_')] = group[name]
        schedulers = runner.build_param_scheduler(copy.deepcopy(runner.cfg.param_scheduler))
        runner.optim_wrapper._global_step = runner.iter  # else each says that no step was made
        catch_up(schedulers, runner.iter, len(runner.train_dataloader))
        runner.param_schedulers = schedulers
        runner.logger.info(f'The schedule is planned anew for {runner.max_epochs} epochs.')


def check_epoch_length(epochs: int, iterations: int, length: int) -> None:
    """Check that a number of whole epochs took as many iterations as it would take now.

    Args:
        epochs: how many are done.
        iterations: how many these took.
        length: iterations of an epoch.

    Raises:
        InputError: another number.
    """
    if iterations != epochs * length:
        raise InputError(
            'The training cannot be continued: its epochs have another length.',
            f'{length} iterations an epoch; the checkpoint: {iterations} for {epochs} epochs',
            'as many images, in as many processes, as before',
            'take the same data and number of processes, or start anew from the weights, without '
            '--resume: --cfg-options load_from=CHECKPOINT',
        )


def catch_up(schedulers: list[_ParamScheduler], iterations: int, epoch_length: int) -> None:
    """Step schedulers as a training steps them.

    Args:
        schedulers: just built.
        iterations: how many the training has done.
        epoch_length: how many an epoch has.
    """
    for iteration in range(1, iterations + 1):
        for scheduler in schedulers:
            if not scheduler.by_epoch:
                scheduler.step()
        if iteration % epoch_length == 0:
            for scheduler in schedulers:
                if scheduler.by_epoch:
                    scheduler.step()
