"""The largest training batch that fits into a given GPU memory. Needs a CUDA device.

python benchmarks/largest_batch.py configs/digits/frcnn_v2_amp.py --memory 8
python benchmarks/largest_batch.py CONFIG --memory 8 --out RUN/largest_batch.json

Models of random weights are trained for one step on noise of the config's scale, so neither data
nor pretrained weights are needed. compare_runs.py shows what is written into the folder of a run.
"""

import argparse
import gc
import json
import math
from bisect import bisect_left
from collections.abc import Callable

import torch

import mmdet_digits.register  # noqa: F401  (operators before mmdet)

# isort: split
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdet_digits.checks.config import resize_scales
from mmdet_digits.checks.config_files import read_config
from mmdet_digits.cli import add_config_options, positive, run_tool
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_outputs, write_file

DIGITS_PER_IMAGE = 6


def main():
    """Print the batch, and write it to a file if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_v2_amp.py')
    parser.add_argument('--memory', type=float, required=True, metavar='GIB', help='of the GPU')
    parser.add_argument('--limit', type=positive, default=1024, metavar='N', help='default: 1024')
    parser.add_argument('--out', metavar='FILE.json', help='write the result to this file')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier result')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    add_config_options(parser)
    args = parser.parse_args()
    check_outputs(filter(None, [args.out]), args.overwrite, inputs=[args.config])
    cfg = read_config(args.config, None)
    cfg.merge_from_dict(args.cfg_options)
    limit_memory(args.memory)
    fitting = largest_fitting(lambda batch: fits(cfg, batch), args.limit)
    memory = f'{args.memory:g} GiB'
    print(f'{args.config} in {memory} of {torch.cuda.get_device_name()}: a batch of {fitting}')
    if args.out:
        write_file(args.out, json.dumps(dict(largest_batch=fitting, memory=memory)) + '\n')


def limit_memory(gib: float) -> None:
    """Let PyTorch reserve no more GPU memory; the CUDA context, some hundred MiB, is beside it."""
    if not torch.cuda.is_available():
        raise InputError(
            'The largest batch can only be measured on a GPU.',
            'no CUDA device',
            'one',
            'run this on the machine that is to train',
        )
    total = torch.cuda.get_device_properties().total_memory / 2**30
    if not 0 < gib <= total:
        raise InputError(
            f'--memory {gib:g}: not a part of the memory of the GPU.',
            f'{gib:g} GiB',
            f'above 0, and at most {total:.1f} GiB',
            'give another --memory',
        )
    torch.cuda.set_per_process_memory_fraction(gib / total)


def largest_fitting(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number from 1 to ``limit`` that fits, as all smaller ones do; 0 if none does."""
    return bisect_left(range(1, limit + 1), True, key=lambda number: not fits(number))


def fits(cfg: Config, batch: int) -> bool:
    """Whether a training step of this many images fits."""
    gc.collect()
    torch.cuda.empty_cache()  # of the batch before
    try:
        train_on_noise(cfg, batch, 'cuda')
    except torch.OutOfMemoryError:
        return False
    return True


def train_on_noise(cfg: Config, batch: int, device: str) -> None:
    """Train a model of random weights for one step, with all that takes memory in it.

    The images fill the config's scale, and each has six digits.
    """
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).to(device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    optim_wrapper.optimizer.step()  # makes its state: a loss scaler may skip the step below
    optim_wrapper.zero_grad()
    width, height = map(round, max(resize_scales(cfg.train_dataloader), key=math.prod))
    boxes = [DIGITS_PER_IMAGE] * batch
    data = demo_mm_inputs(batch, (3, height, width), num_items=boxes, use_box_type=True)
    model.train_step(data, optim_wrapper)


if __name__ == '__main__':
    run_tool(main)
