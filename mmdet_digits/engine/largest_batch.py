"""The largest training batch that fits into a given memory."""

import gc
import math
import re
from collections.abc import Callable, Iterator, Mapping

import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdet_digits.utils.errors import InputError

UNITS = {'MB': 10**6, 'GB': 10**9, 'MiB': 2**20, 'GiB': 2**30}
DIGITS_PER_IMAGE = 6


def largest_fitting(fits: Callable[[int], bool], start: int, limit: int) -> int:
    """Find the largest number that fits, by doubling and then halving the gap.

    Args:
        fits: Whether a number fits; if one does, so do all smaller ones.
        start: The first one to try, from 1 to ``limit``.
        limit: The largest one to try.

    Returns:
        That number; 0 if not even 1 fits.
    """
    fitting, tried = 0, start
    while tried <= limit and fits(tried):
        fitting, tried = tried, 2 * tried
    too_many = min(tried, limit + 1)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if fits(middle):
            fitting = middle
        else:
            too_many = middle
    return fitting


def parse_memory(text: str) -> int:
    """Turn a size such as ``'8GiB'`` into bytes.

    Raises:
        InputError: it is not a positive number with one of the units.
    """
    match = re.fullmatch(r'(\d+(?:\.\d+)?) ?([KMG]i?B)', text)
    size = int(float(match[1]) * UNITS[match[2]]) if match and match[2] in UNITS else 0
    if not size:
        raise InputError(
            f'--memory {text}: not a size.',
            repr(text),
            f'a number above 0 and one of {", ".join(UNITS)}',
            'write it like 8GiB',
        )
    return size


def training_scale(cfg: Config) -> tuple[int, int]:
    """Return the largest width and height to which the training pipelines resize.

    Raises:
        InputError: none has a ``Resize`` with a scale.
    """
    pipelines = list(_pipelines(cfg.train_dataloader.dataset))
    scales = [
        [step.scale for step in pipeline if 'Resize' in step.type and 'scale' in step]
        for pipeline in pipelines
    ]
    last = [tuple(of_pipeline[-1]) for of_pipeline in scales if of_pipeline]
    if not last:
        raise InputError(
            'The training pipeline does not say how large its images are.',
            ', '.join(step.type for pipeline in pipelines for step in pipeline) or 'no pipeline',
            "a step dict(type='Resize', scale=(width, height))",
            'add one to train_dataloader.dataset.pipeline',
        )
    return max(last, key=math.prod)


def _pipelines(dataset: Mapping) -> Iterator[list]:
    """The pipelines of a data set's config, wrappers such as RepeatDataset looked into."""
    if 'pipeline' in dataset:
        yield dataset['pipeline']
    for member in (dataset.get('dataset'), *dataset.get('datasets', ())):
        if member:
            yield from _pipelines(member)


def train_on_noise(cfg: Config, batch: int, device: str) -> None:
    """Train a model of random weights for one step, with all that takes memory in it.

    The images fill the config's scale, and each has six digits.

    Args:
        cfg: The config; its pretrained weights are not needed.
        batch: Images in the batch.
        device: Where to train.
    """
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).to(device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    optim_wrapper.optimizer.step()  # makes its state: a loss scaler may skip the step below
    optim_wrapper.zero_grad()
    width, height = training_scale(cfg)
    boxes = [DIGITS_PER_IMAGE] * batch
    data = demo_mm_inputs(batch, (3, height, width), num_items=boxes, use_box_type=True)
    model.train_step(data, optim_wrapper)


def largest_batch(cfg: Config, memory: int, limit: int) -> int:
    """Measure the largest training batch of a config on the current CUDA device.

    Args:
        cfg: The config.
        memory: Bytes that PyTorch may reserve there. The CUDA context, some hundred MiB, comes on
            top of it.
        limit: The largest batch to try.

    Returns:
        That batch; 0 if not even one image fits.

    Raises:
        InputError: there is no CUDA device, or not as much memory.
    """
    if not torch.cuda.is_available():
        raise InputError(
            'The largest batch can only be measured on a GPU.',
            'no CUDA device',
            'one',
            'run this on the machine that is to train',
        )
    total = torch.cuda.get_device_properties().total_memory
    if memory > total:
        raise InputError(
            'There is not as much memory on the device.',
            f'{total / 2**30:.1f} GiB',
            f'{memory / 2**30:.1f} GiB',
            'give less by --memory',
        )
    torch.cuda.set_per_process_memory_fraction(memory / total)

    def fits(batch: int) -> bool:
        gc.collect()
        torch.cuda.empty_cache()  # of the batch before
        try:
            train_on_noise(cfg, batch, 'cuda')
        except torch.cuda.OutOfMemoryError:
            return False
        return True

    return largest_fitting(fits, 1, limit)
