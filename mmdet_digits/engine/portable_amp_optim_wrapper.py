"""Mixed precision that runs wherever the model does."""

import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper


@OPTIM_WRAPPERS.register_module()
class PortableAmpOptimWrapper(AmpOptimWrapper):
    """MMEngine's AMP wrapper with a precision that fits the device.

    On CUDA: float16 with a gradient scaler, as MMEngine does. On a CPU, where MMEngine's wrapper
    refuses to start: bfloat16, whose exponent range is float32's and so needs no scaler. bfloat16
    on CUDA is ``dtype='bfloat16'``. The choice is logged once.

    Args:
        loss_scale: ``'dynamic'``, a fixed scale, or the arguments of
            :class:`torch.amp.GradScaler`. Used with float16 only.
        dtype: ``'float16'``, ``'bfloat16'`` or None for the device's own choice.
        **kwargs: passed to :class:`mmengine.optim.OptimWrapper`.

    Raises:
        ValueError: float16 was asked for on a device that trains in bfloat16 only, or the dtype is
            neither of the two.
    """

    def __init__(self, loss_scale: str | float | dict = 'dynamic', dtype=None, **kwargs) -> None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.cast_dtype = autocast_dtype(device, dtype)
        scaling = self.cast_dtype is torch.float16
        if scaling:
            super().__init__(loss_scale=loss_scale, dtype=self.cast_dtype, **kwargs)
        else:
            OptimWrapper.__init__(self, **kwargs)  # AmpOptimWrapper would insist on a GPU
            self._scale_update_param = None
            self.loss_scaler = torch.amp.GradScaler(device, enabled=False)
        MMLogger.get_current_instance().info(
            f'Mixed precision: {str(self.cast_dtype).removeprefix("torch.")} autocast on {device}, '
            f'{f"loss scale {loss_scale}" if scaling else "no loss scaling needed"}.'
        )


def autocast_dtype(device: str, dtype: str | torch.dtype | None) -> torch.dtype:
    """The dtype to train in on ``device`` (``'cuda'`` or ``'cpu'``).

    Args:
        device: where the model trains.
        dtype: what was asked for, None for float16 on CUDA and bfloat16 elsewhere.

    Raises:
        ValueError: the device cannot train in that dtype.
    """
    name = str(dtype).removeprefix('torch.') if dtype else None
    allowed = ('float16', 'bfloat16') if device == 'cuda' else ('bfloat16',)
    if name is None:
        name = allowed[0]
    if name not in allowed:
        raise ValueError(
            f'optim_wrapper.dtype is {name!r}, but mixed-precision training on {device} takes '
            f'{" or ".join(allowed)}. Leave dtype out to let the device choose.'
        )
    return getattr(torch, name)
