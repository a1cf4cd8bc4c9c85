"""Training with several processes beside one: images per second and scaling efficiency.

python benchmarks/distributed.py frcnn_tiny --batch 8
python benchmarks/distributed.py frcnn_fp32 --processes 8 --batch 16    # on 8 GPUs

Each process has a batch of its own and one thread, or a GPU. The efficiency is what they reach
together, of so many times what one reaches while the others wait. They take turns, so that other
load hits them alike; with ``--cpu-time`` it hardly matters, nor does waiting for the slowest.
"""

import json
import logging
import tempfile
import time
from pathlib import Path
from statistics import median

import mmdet_digits.register  # noqa: F401  (before torch: threads that wait must not spin)

# isort: split
import torch
import torch.distributed as dist
from common import print_table, seconds_of, spread
from contenders import CUDA, Work, work_of, work_parser
from detectors import build_model, named_config, read_batches
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdet_digits.cli import run_tool


def main():
    """Print the table of one config."""
    parser = work_parser(__doc__, repeats=9)
    parser.add_argument('config', help='name of a config in configs/digits/')
    default = max(2, torch.cuda.device_count())
    parser.add_argument('--processes', type=int, default=default, help='default here: %(default)s')
    args = parser.parse_args()
    with work_of(args, training=True) as work, tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(
            run_process, (args.processes, args.config, work, folder), args.processes
        )
        seconds = json.loads(Path(folder, 'seconds.json').read_text())
    report({name: [work.batch / s for s in values] for name, values in seconds.items()}, args)


def report(rates: dict[str, list[float]], args):
    """Print the rates; those together are of one process each."""
    cores = 1 if args.cpu_time else args.processes  # whose seconds pass at the same time
    ideal = cores * median(rates['alone'])
    together = [cores * rate for rate in rates['together']]
    rows = [
        ['1', spread(rates['alone']), '1'],
        [str(args.processes), spread(together), f'{median(together) / ideal:.2f}'],
    ]
    if not CUDA:
        label, threads = f'1 with {args.processes} threads', rates['threads']
        rows.append([label, spread(threads), f'{median(threads) / ideal:.2f}'])
    print_table(['processes', 'images/s', 'efficiency'], rows)


def run_process(rank: int, processes: int, config: str, work: Work, folder: str):
    """Take the steps of one process; the first writes the seconds of each."""
    logging.disable(logging.INFO)
    init_default_scope('mmdet')
    if CUDA:
        torch.cuda.set_device(rank)
    torch.set_num_threads(1)
    dist.init_process_group(
        'nccl' if CUDA else 'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=processes,
    )
    step_alone, batches = build(config, work, joined=False)
    step_joined, _ = build(config, work, joined=True)
    clock = time.process_time if work.cpu_time else time.perf_counter
    seconds = {'alone': [], 'together': []} | ({} if CUDA else {'threads': []})
    for index in range(work.rounds):
        batch = batches[(index + rank) % len(batches)]
        for way, measured in seconds.items():
            dist.barrier()
            if way == 'together' or rank == 0:
                torch.set_num_threads(processes if way == 'threads' else 1)
                step = step_joined if way == 'together' else step_alone
                measured.append(seconds_of(lambda step=step, batch=batch: step(batch), clock))
    if rank == 0:
        counted = {way: measured[1:] for way, measured in seconds.items()}
        Path(folder, 'seconds.json').write_text(json.dumps(counted))
    dist.barrier()
    dist.destroy_process_group()


def build(config: str, work: Work, joined: bool):
    """A step of training, and its batches."""
    cfg = Config.fromfile(named_config(config))
    model = build_model(cfg)
    if work.amp:
        cfg.optim_wrapper.type = 'PortableAmpOptimWrapper'
    if joined:
        devices = [torch.cuda.current_device()] if CUDA else None
        model = MMDistributedDataParallel(model, device_ids=devices, broadcast_buffers=False)
    wrapper = build_optim_wrapper(model.train(), cfg.optim_wrapper)
    items = read_batches(work, cfg.train_dataloader.dataset.pipeline)
    return (lambda batch: model.train_step(batch, wrapper)), [*map(pseudo_collate, items)]


if __name__ == '__main__':
    run_tool(main)
