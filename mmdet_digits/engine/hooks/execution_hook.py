"""The switches that decide how fast a model runs."""

import torch
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import nn
from torch.utils.data import DataLoader

from mmdet_digits.engine.distributed import unwrapped
from mmdet_digits.engine.execution import (
    fit_threads,
    follow_parameters,
    keep_freed_memory,
    use_plain_layout,
)


@HOOKS.register_module()
class ExecutionHook(Hook):
    """Run a model as fast as the machine can, with the same results but for rounding.

    In training, validation and tests. Checkpoints do not depend on it: a run may be resumed with
    other switches. Three things need no switch: torch gets as many threads as the process may use
    processors, freed memory is kept for the next step, and on CUDA the data loaders give pinned
    memory, from which images are copied while the GPU computes.

    benchmarks/switches.py measures each switch. Others are MMEngine's or torch's own: the
    optimizer's ``fused``, ``env_cfg.cudnn_benchmark`` and mixed precision.

    Args:
        channels_last: keep the channels of weights, and so of all feature maps, innermost in
            memory. The kernels for convolutions of CPUs and of GPUs' tensor cores want them there.
        tf32: whether CUDA multiplies float32 numbers with 10 bits of mantissa instead of 23; None
            leaves it to torch, which does so in convolutions only.
    """

    priority = 'VERY_HIGH'

    def __init__(self, channels_last: bool = True, tf32: bool | None = None) -> None:
        self.channels_last = channels_last
        self.tf32 = tf32

    def prepare(self, model: nn.Module) -> None:
        """Turn the switches for a model, before or after its weights are loaded.

        Args:
            model: a detector, or what wraps one.
        """
        fit_threads()
        keep_freed_memory()
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        if self.tf32 is not None:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32

    def before_run(self, runner) -> None:
        """Turn the switches, before weights are loaded.

        What distributes a model has to be built again: it has noted how the weights lie in memory,
        and would mix up the gradients of the first step if that changed.
        """
        model = unwrapped(runner.model)
        self.prepare(model)
        if model is not runner.model:
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        runner.logger.info(
            f'Execution: channels {"last" if self.channels_last else "first"}, '
            f'{torch.get_num_threads()} threads.'
        )

    def before_train(self, runner) -> None:
        """Let the state of an optimizer that resumes have the layout of the weights."""
        follow_parameters(runner.optim_wrapper.optimizer)
        pin(runner.train_dataloader)

    def before_val(self, runner) -> None:
        """Prepare the copies of validation."""
        pin(runner.val_dataloader)

    def before_test(self, runner) -> None:
        """Prepare the copies of a test."""
        pin(runner.test_dataloader)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save what a run without this hook would save."""
        use_plain_layout(checkpoint)


def pin(loader: DataLoader) -> None:
    """Let a data loader that has not started give memory that CUDA copies from by itself."""
    loader.pin_memory = torch.cuda.is_available()


def prepare_as_configured(model: nn.Module, cfg: Config) -> None:
    """Turn the switches of a config for a model that no runner runs.

    Args:
        model: of the config.
        cfg: the config; nothing happens if its ``custom_hooks`` have no ``ExecutionHook``.
    """
    for hook in cfg.get('custom_hooks') or ():
        if hook['type'] == 'ExecutionHook':
            # by name: a config of earlier weights has a switch more
            ExecutionHook(hook.get('channels_last', True), hook.get('tf32')).prepare(model)
