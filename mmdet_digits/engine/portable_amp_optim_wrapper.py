"""Mixed precision that runs wherever the model does."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

BFLOAT16_OF_CPUS = ('avx512_bf16', 'amx_bf16', 'bf16')
"""What torch calls the instructions for bfloat16, of x86 and of ARM."""

ALLOWED = {'cuda': ('float16', 'bfloat16'), 'cpu': ('bfloat16',)}
"""The precisions that MMEngine trains in by autocast; on other devices none."""


@OPTIM_WRAPPERS.register_module()
class PortableAmpOptimWrapper(AmpOptimWrapper):
    """MMEngine's AMP wrapper with a precision that fits the device.

    bfloat16 has float32's range of exponents and needs no loss scaling. It is the choice wherever
    the chip computes in it, and on every CPU, where MMEngine's wrapper refuses to start. Older GPUs
    get float16 with a gradient scaler, as MMEngine does. On Apple's mps MMEngine has no autocast,
    so there it is float32. The choice is logged once.

    Args:
        loss_scale: ``'dynamic'``, a fixed scale, or the arguments of
            :class:`torch.amp.GradScaler`. Used with float16 only.
        dtype: ``'float16'``, ``'bfloat16'``, ``'auto'`` for the device's own choice of the two, or
            ``'native'`` for the same but float32 on a CPU without instructions for bfloat16, where
            mixed precision takes longer.
        **kwargs: passed to :class:`mmengine.optim.OptimWrapper`.

    Raises:
        ValueError: float16 was asked for on a device that trains in bfloat16 only, or the dtype is
            none of these.
    """

    def __init__(self, loss_scale: str | float | dict = 'dynamic', dtype='auto', **kwargs) -> None:
        device = get_device()
        self.cast_dtype = autocast_dtype(device, dtype)
        if self.cast_dtype is torch.float16:
            super().__init__(loss_scale=loss_scale, dtype=self.cast_dtype, **kwargs)
            remark = f'loss scale {loss_scale}'
        else:
            OptimWrapper.__init__(self, **kwargs)  # AmpOptimWrapper would insist on a GPU
            self._scale_update_param = None
            self.loss_scaler = torch.amp.GradScaler(device, enabled=False)
            remark = 'no loss scaling needed'
        if self.cast_dtype is torch.float32:
            lacks = (
                'instructions for bfloat16' if device == 'cpu' else 'mixed precision in MMEngine'
            )
            MMLogger.get_current_instance().info(f'Full precision: this {device} has no {lacks}.')
            return
        if self.cast_dtype is torch.bfloat16 and not computes_bfloat16(device):
            remark += '; without instructions for it this may be slower than float32'
        MMLogger.get_current_instance().info(
            f'Mixed precision: {str(self.cast_dtype).removeprefix("torch.")} autocast on {device}, '
            f'{remark}.'
        )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Within, the forward pass is computed in the chosen precision.

        Args:
            model: what is trained.
        """
        full = self.cast_dtype is torch.float32
        with OptimWrapper.optim_context(self, model) if full else super().optim_context(model):
            yield

    def load_state_dict(self, state_dict: dict) -> None:
        """Resume, also from a run in the other precision: a scaler that is new starts afresh.

        Args:
            state_dict: what :meth:`state_dict` gave.
        """
        if not state_dict.get('loss_scaler'):  # torch refuses the state of an idle scaler
            state_dict = {key: state_dict[key] for key in state_dict if key != 'loss_scaler'}
        super().load_state_dict(state_dict)


def autocast_dtype(
    device: str, dtype: str | torch.dtype | None = 'auto', has_bfloat16: bool | None = None
) -> torch.dtype:
    """The dtype to train in on a device.

    Args:
        device: where the model trains, ``'cuda'``, ``'cpu'`` or ``'mps'``.
        dtype: what was asked for; ``'auto'`` or None for float16 on a GPU that does not compute in
            bfloat16, float32 on mps and bfloat16 elsewhere; ``'native'`` for float32 also on a CPU
            that does not.
        has_bfloat16: whether the device computes in bfloat16; None asks it.

    Raises:
        ValueError: the device cannot train in that dtype.
    """
    allowed = ALLOWED.get(device, ('float32',))
    name = 'auto' if dtype is None else str(dtype).removeprefix('torch.')
    if name in ('auto', 'native'):
        if 'bfloat16' not in allowed:
            return torch.float32
        has_bfloat16 = computes_bfloat16(device) if has_bfloat16 is None else has_bfloat16
        if name == 'native' and device == 'cpu' and not has_bfloat16:
            return torch.float32
        name = 'bfloat16' if has_bfloat16 else allowed[0]
    if name not in allowed:
        raise ValueError(
            f'optim_wrapper.dtype is {name!r}, but mixed-precision training on {device} takes '
            f"{' or '.join(allowed)}. dtype='auto' lets the device choose."
        )
    return getattr(torch, name)


def computes_bfloat16(device: str) -> bool:
    """Whether a device (``'cuda'`` or ``'cpu'``) has instructions for bfloat16."""
    if device == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in BFLOAT16_OF_CPUS)
