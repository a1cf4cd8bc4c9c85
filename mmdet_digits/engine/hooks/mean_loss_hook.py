"""Log the losses of all processes of a run as their mean."""

from mmdet.registry import HOOKS
from mmengine.dist import all_reduce_dict
from mmengine.hooks import Hook


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Log the losses of all processes, where MMEngine logs those of the first one alone.

    Each has its own part of the batch, so the mean is what one process would log with the whole
    batch; it is also what the gradients are of. One exchange of a few numbers per iteration.
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook, which keeps them for the log

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Replace the losses by their means."""
        if runner.world_size > 1:
            losses = {name: value.detach().clone() for name, value in outputs.items()}
            all_reduce_dict(losses, 'mean')
            outputs.update(losses)
