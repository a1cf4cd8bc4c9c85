"""The schedule of a training that goes on for more epochs, or fewer, than it was planned for."""

import copy

from mmengine.hooks import Hook
from mmengine.optim import ReduceOnPlateauParamScheduler, _ParamScheduler


class ReplannedScheduleHook(Hook):
    """Build the schedulers of the config anew and step them to where the checkpoint is.

    MMEngine's go on with all values of the checkpoint, its length among them: after a cosine to
    zero, further epochs are trained at zero. Schedulers that follow a metric stay as they are.
    """

    def before_train(self, runner) -> None:
        """Replace the schedulers that were resumed."""
        old = runner.param_schedulers or []
        if not old or any(isinstance(s, ReduceOnPlateauParamScheduler) for s in old):
            return
        for group in runner.optim_wrapper.param_groups:
            for name in [key for key in group if key.startswith('initial_')]:
                group[name.removeprefix('initial_')] = group[name]
        schedulers = runner.build_param_scheduler(copy.deepcopy(runner.cfg.param_scheduler))
        runner.optim_wrapper._global_step = runner.iter  # else each says that no step was made
        catch_up(schedulers, runner.iter, len(runner.train_dataloader))
        runner.param_schedulers = schedulers
        runner.logger.info(f'The schedule is planned anew for {runner.max_epochs} epochs.')


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
