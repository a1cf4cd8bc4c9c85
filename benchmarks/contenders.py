"""Detectors that are timed against each other on the same images, each in a process of its own.

The peer is torchvision's ``fasterrcnn_resnet50_fpn_v2`` as both published systems train it: its own
transform (1333 x 800), its own budgets of proposals and RoIs, SGD. All weights are random. What
pretrained weights would freeze is frozen: the stem and the first stage of each R50.
"""

import argparse
import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from detectors import DEVICE, input_size, prepare, take_step

# isort: split
from common import describe_machine, print_table, spread

from mmdet_digits.cli import positive
from mmdet_digits.engine.hooks.peak_memory_hook import cuda_peak_mib, process_peak_mib
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.writer import DatasetSpec, write_dataset

CUDA = DEVICE == 'cuda'


@dataclass(frozen=True)
class Contender:
    """What is timed.

    Args:
        name: as the table has it.
        config: name or path of a config, or ``PEER``.
        options: changes of the config, as ``--cfg-options``.
    """

    name: str
    config: str
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What every contender does.

    Args:
        ann: COCO file of the images.
        images: folder of the images.
        batch: images per step.
        rounds: steps, each with images of its own.
        training: steps of training, or predictions.
        amp: in mixed precision.
        cpu_time: count the seconds of the processors.
        one_by_one: each contender does all its steps before the next begins.
    """

    ann: Path
    images: Path
    batch: int
    rounds: int
    training: bool
    amp: bool = False
    cpu_time: bool = False
    one_by_one: bool = False


@dataclass
class Result:
    """What was measured of a contender.

    Attributes:
        size: the largest input, W x H in pixels.
        rates: images per second of each round after the first.
        memory: peak in MiB: resident memory of the process, or what torch allocated on the GPU.
        loss: of the first step; None for predictions.
    """

    size: str
    rates: list[float]
    memory: float | None
    loss: float | None


def work_parser(description: str, repeats: int = 5) -> argparse.ArgumentParser:
    """A parser with the arguments that say what is done, and how often."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--images', type=Path, help='folder of images (default: drawn ones)')
    parser.add_argument('--ann', type=Path, help='their COCO file; goes with --images')
    parser.add_argument(
        '--batch',
        type=positive,
        default=16 if CUDA else 2,
        help='images per step (%(default)s here)',
    )
    parser.add_argument('--repeats', type=positive, default=repeats, help='steps that count')
    parser.add_argument(
        '--cpu-time',
        action='store_true',
        help='count the seconds of the processors, all cores together, instead of those of the '
        'clock: other programs matter less',
    )
    parser.add_argument(
        '--one-by-one',
        action='store_true',
        help='do not take turns: only one contender is in memory at a time',
    )
    parser.add_argument('--amp', action='store_true', help='everything in mixed precision')
    return parser


@contextmanager
def work_of(args: argparse.Namespace, training: bool) -> Iterator[Work]:
    """The work that the arguments of :func:`work_parser` ask for; draws images if none are given.

    Args:
        args: parsed.
        training: whether to train.
    """
    if (args.images is None) != (args.ann is None):
        raise InputError('--images and --ann go together: give both, or neither for drawn images.')
    rounds = args.repeats + 1
    with tempfile.TemporaryDirectory() as folder:
        ann, images = args.ann, args.images
        if ann is None:
            root = Path(folder, 'digits')
            write_dataset(root, DatasetSpec(args.batch * rounds, valid=0, test=0), workers=1)
            ann, images = root / 'train.json', root / 'train'
        source = 'drawn' if args.ann is None else args.ann.name
        print(
            f'{describe_machine()}\n{rounds * args.batch} images ({source}), {args.batch} per '
            f'step, {args.repeats} steps after one to warm up{", mixed precision" * args.amp}'
            f'{", seconds of all cores together" * args.cpu_time}\n'
        )
        yield Work(
            ann=ann.resolve(),
            images=images.resolve(),
            batch=args.batch,
            rounds=rounds,
            training=training,
            amp=args.amp,
            cpu_time=args.cpu_time,
            one_by_one=args.one_by_one,
        )


def compare(contenders: Sequence[Contender], work: Work) -> dict[str, Result]:
    """Time the contenders.

    Each lives in a process of its own, so that its peak of memory is its own. They take turns, so
    that other load hits them alike, unless the work is to be done one by one.

    Returns:
        By name, in the order of the contenders.
    """
    groups = [[contender] for contender in contenders] if work.one_by_one else [contenders]
    results = {}
    for group in groups:
        results |= compare_in_turn(group, work)
    return results


def compare_in_turn(contenders: Sequence[Contender], work: Work) -> dict[str, Result]:
    """Time contenders that are in memory together, step by step."""
    spawn = multiprocessing.get_context('spawn')
    with ExitStack() as stack:
        pools = {
            contender.name: stack.enter_context(ProcessPoolExecutor(1, spawn))
            for contender in contenders
        }
        for contender in contenders:
            pools[contender.name].submit(prepare, contender, work).result()
        steps = [
            {name: pool.submit(take_step, index).result() for name, pool in pools.items()}
            for index in range(work.rounds)
        ]
        return {
            name: Result(
                size=pool.submit(input_size).result(),
                rates=[work.batch / step[name][0] for step in steps[1:]],
                memory=pool.submit(cuda_peak_mib if CUDA else process_peak_mib).result(),
                loss=steps[0][name][1],
            )
            for name, pool in pools.items()
        }


def report(results: dict[str, Result]) -> None:
    """Print the table of a comparison; the first contender is what the others are compared with."""
    first = median(next(iter(results.values())).rates)
    rows = []
    for name, result in results.items():
        rate = median(result.rates)
        memory = '?' if result.memory is None else f'{result.memory / 1024:.2f}'
        ratio = f'{rate / first:.1f}'
        rows.append([name, result.size, spread(result.rates), f'{1 / rate:.3g}', memory, ratio])
    print_table(
        ['detector', 'input up to', 'images/s', 's per image', 'peak memory, GiB', 'times as fast'],
        rows,
    )
