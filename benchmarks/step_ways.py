"""Training steps of one detector in several batch sizes, in mixed precision and in float32.

python benchmarks/step_ways.py frcnn_fp32 --batches 24 16 --images svhn/train --ann svhn/train.json

As train_step.py takes them, but in one process, so that torch is imported once. --json is written
after each way. A way that does not fit into the GPU's memory does not stop the others.
"""

import argparse
import gc
import json
from itertools import product
from pathlib import Path
from typing import Any

from contenders import CUDA, Contender, Work
from detectors import input_size, own, prepare, take_step

# isort: split
import torch
from common import describe_machine, print_table
from programme_page import WAY_HEADER, way_row

from mmdet_digits.cli import positive, run_tool
from mmdet_digits.engine.hooks.peak_memory_hook import cuda_peak_mib
from mmdet_digits.files import write_file


def main() -> None:
    """Print the table of one detector."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='name or path of a config, or torchvision')
    parser.add_argument('--images', type=Path, required=True, help='folder of images')
    parser.add_argument('--ann', type=Path, required=True, help='their COCO file')
    parser.add_argument('--batches', type=positive, nargs='+', required=True, metavar='N')
    parser.add_argument('--repeats', type=positive, default=5, help='steps that count')
    parser.add_argument('--json', type=Path, help='write what was measured to this file too')
    args = parser.parse_args()
    ways = []
    for batch, amp in product(args.batches, (True, False)):
        work = Work(args.ann, args.images, batch, args.repeats + 1, training=True, amp=amp)
        ways.append(dict(batch=batch, amp=amp, **time_way(args.config, work)))
        if args.json:
            write_file(args.json, json.dumps(ways, indent=2) + '\n')
    print(f'{describe_machine()}\n{args.config}, {args.repeats} steps after one to warm up\n')
    print_table(WAY_HEADER, [*map(way_row, ways)])


def time_way(config: str, work: Work) -> dict[str, Any]:
    """Take the steps of a detector that is built for them.

    Returns:
        ``size`` of the input, ``rates`` in images per second, and ``memory``: the peak on the GPU
        in MiB, or None on a CPU. Only a ``message`` where the memory is too small.
    """
    own.step = own.batches = None  # those of the way before
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        prepare(Contender(config, config), work)
        steps = [take_step(index) for index in range(work.rounds)]
    except torch.OutOfMemoryError:
        return dict(message='out of memory')
    rates = [work.batch / seconds for seconds, _ in steps[1:]]
    return dict(size=input_size(), rates=rates, memory=cuda_peak_mib() if CUDA else None)


if __name__ == '__main__':
    run_tool(main)
