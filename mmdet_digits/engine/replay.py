"""Run the batch of a dump through its model again, and see where numbers end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.runner.amp import autocast
from torch import Tensor, nn

from mmdet_digits.engine.batch_dumps import to_batch
from mmdet_digits.engine.hooks.execution_hook import prepare_as_configured
from mmdet_digits.engine.portable_amp_optim_wrapper import autocast_dtype
from mmdet_digits.engine.randomness import set_random_states
from mmdet_digits.utils.errors import InputError


@dataclass(frozen=True)
class ModuleRun:
    """What one call of a module was like.

    Attributes:
        name: of the module within the model.
        kind: its class.
        shape: of its first output.
        finite: whether all it returned is finite.
        finite_inputs: whether all it was given is.
        finite_weights: whether all its parameters are.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    finite: bool
    finite_inputs: bool
    finite_weights: bool


@dataclass(frozen=True)
class Replay:
    """What a batch gave when it was run again.

    Attributes:
        losses: value per loss term, as the training logs them.
        runs: each call of a module, in the order in which they returned.
        precision: the dtype of autocast, None in full precision.
    """

    losses: dict[str, float]
    runs: list[ModuleRun]
    precision: str | None

    @property
    def first_bad(self) -> int | None:
        """The index of the first run whose output is not finite, or None."""
        return next((i for i, run in enumerate(self.runs) if not run.finite), None)


def replay(dump: dict, cfg: Config, amp: bool | None = None, device: str = 'cpu') -> Replay:
    """Run the forward pass of a dump again, in training mode.

    Args:
        dump: as :func:`mmdet_digits.engine.batch_dumps.read_dump` gives it.
        cfg: whose model is run; it must take the weights of the dump.
        amp: whether in mixed precision; None for as it was.
        device: where.

    Raises:
        InputError: the weights are those of another model.
    """
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    try:
        model.load_state_dict(dump['state_dict'])
    except RuntimeError as error:
        raise InputError(
            'The dump holds the weights of another model than the config.',
            str(error),
            'the config of that training',
            'leave --config out',
        ) from error
    model.to(device).train()
    prepare_as_configured(model, cfg)
    dtype = choose_dtype(dump, amp, device)
    set_random_states(dump['random_states'])
    with recorded(model) as runs, autocast(device, dtype, enabled=dtype is not None):
        data = model.data_preprocessor(to_batch(dump), True)
        losses = model(**data, mode='loss')
    losses = {name: value.item() for name, value in model.parse_losses(losses)[1].items()}
    return Replay(losses, runs, str(dtype).removeprefix('torch.') if dtype else None)


def choose_dtype(dump: dict, amp: bool | None, device: str) -> torch.dtype | None:
    """The dtype of autocast: that of the training if the device is the same kind, else its own."""
    if not (dump['precision'] if amp is None else amp):
        return None
    kind = torch.device(device).type
    dtype = autocast_dtype(kind, dump['precision'] if kind == dump['device'] else None)
    return None if dtype is torch.float32 else dtype


@contextmanager
def recorded(model: nn.Module) -> Iterator[list[ModuleRun]]:
    """Within, every call of a module within ``model`` is noted when it returns."""
    runs: list[ModuleRun] = []
    handles = [
        module.register_forward_hook(noting(name, runs), with_kwargs=True)
        for name, module in model.named_modules()
        if name
    ]
    try:
        yield runs
    finally:
        for handle in handles:
            handle.remove()


def noting(name: str, runs: list[ModuleRun]):
    """A forward hook that appends to ``runs``."""

    def note(module, args, kwargs, output) -> None:
        tensors = list(find_tensors(output))
        runs.append(
            ModuleRun(
                name,
                type(module).__name__,
                tuple(tensors[0].shape) if tensors else (),
                all_finite(tensors),
                all_finite(find_tensors((args, kwargs))),
                all_finite(module.parameters(recurse=False)),
            )
        )

    return note


def find_tensors(value: Any) -> Iterator[Tensor]:
    """The tensors within nested dicts and lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from find_tensors(item)


def all_finite(tensors) -> bool:
    """Whether no tensor holds NaN or infinity."""
    return all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point())


def same_losses(recorded: dict[str, float], replayed: dict[str, float]) -> bool:
    """Whether two runs gave the same losses, bit for bit; NaN is like NaN."""
    return recorded.keys() == replayed.keys() and all(
        value == replayed[name] or (value != value and replayed[name] != replayed[name])
        for name, value in recorded.items()
    )
