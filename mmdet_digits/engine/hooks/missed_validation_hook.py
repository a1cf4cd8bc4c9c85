"""Make up for a validation that an interruption prevented."""

from mmdet.registry import HOOKS
from mmengine.hooks import CheckpointHook, Hook

VALIDATED = 'last_validated_epoch'
"""Where the message hub keeps it; MMEngine logs what begins with ``val`` beside the metrics."""


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validate first when a run resumes from a checkpoint that was not validated.

    MMEngine saves the checkpoint of an epoch before it validates it. A run that ends in between
    and is resumed would never learn how good that epoch was, so the best score and the best
    checkpoint could be others than those of an uninterrupted run. Checkpoints do not tell whether
    they were validated unless they were the best; where they do not, validating once more changes
    nothing.
    """

    priority = 'NORMAL'  # before CheckpointHook, which saves a best checkpoint once more

    def before_train(self, runner) -> None:
        """Note whether the epoch that the run starts from is still to be validated."""
        loop, epoch = runner.train_loop, runner.epoch
        self._missed = (
            runner.val_loop is not None
            and epoch >= max(loop.val_begin, 1)
            and (epoch % loop.val_interval == 0 or epoch == loop.max_epochs)
            and runner.message_hub.runtime_info.get(VALIDATED, 0) < epoch
        )

    def before_train_epoch(self, runner) -> None:
        """Validate, once every other hook is ready."""
        if self._missed:
            self._missed = False
            for hook in runner.hooks:  # a resumed one does not know what to save again
                if isinstance(hook, CheckpointHook):
                    hook.last_ckpt = runner.message_hub.get_info('last_ckpt')
            runner.logger.info(f'Epoch {runner.epoch} may not have been validated: doing it now.')
            runner.val_loop.run()

    def after_train(self, runner) -> None:
        """Validate, where no epoch was left to train."""
        self.before_train_epoch(runner)

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Note the epoch in what CheckpointHook may save next."""
        runner.message_hub.update_info(VALIDATED, runner.epoch)
