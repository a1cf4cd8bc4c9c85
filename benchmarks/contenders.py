"""Detectors that are timed against each other on the same images, each in a process of its own.

The peer is torchvision's ``fasterrcnn_resnet50_fpn_v2`` as both published systems train it: its own
transform (1333 x 800), its own budgets of proposals and RoIs, SGD. All weights are random. What
pretrained weights would freeze is frozen: the stem and the first stage of each R50.
"""

import argparse
import logging
import math
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import mmdet_digits.register  # noqa: F401  (before torch: threads that wait must not spin)

# isort: split
import torch
from common import describe_machine, print_table, seconds_of, spread
from mmdet.registry import DATASETS, MODELS, OPTIM_WRAPPERS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner.amp import autocast
from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

from mmdet_digits.cli import REPOSITORY, find_config
from mmdet_digits.datasets.synthetic.writer import DatasetSpec, write_dataset
from mmdet_digits.engine.hooks.execution_hook import prepare_as_configured
from mmdet_digits.engine.hooks.peak_memory_hook import cuda_peak_mib, process_peak_mib
from mmdet_digits.utils.errors import InputError, RunError

PEER = 'torchvision'
PEER_SIZE = '1333x800'
DATA_CONFIG = 'configs/_base_/datasets/digits_detection.py'
FROZEN_BY_DEFAULT = ('conv1', 'bn1', 'layer1')  # trainable_backbone_layers=3
CUDA = torch.cuda.is_available()
DEVICE = 'cuda' if CUDA else 'cpu'


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
        '--batch', type=int, default=16 if CUDA else 2, help='images per step (%(default)s here)'
    )
    parser.add_argument('--repeats', type=int, default=repeats, help='steps that count')
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
    first = statistics.median(next(iter(results.values())).rates)
    rows = []
    for name, result in results.items():
        rate = statistics.median(result.rates)
        memory = '?' if result.memory is None else f'{result.memory / 1024:.2f}'
        ratio = f'{rate / first:.1f}'
        rows.append([name, result.size, spread(result.rates), f'{1 / rate:.3g}', memory, ratio])
    print_table(
        ['detector', 'input up to', 'images/s', 's per image', 'peak memory, GiB', 'times as fast'],
        rows,
    )


# Below: in the process of one contender, which has it as `own`.
own = SimpleNamespace()


def prepare(contender: Contender, work: Work) -> None:
    """Build the contender and read its images."""
    logging.disable(logging.INFO)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    build = build_peer if contender.config == PEER else build_own
    own.step, own.batches, own.size = build(contender, work)
    own.clock = time.process_time if work.cpu_time else time.perf_counter


def take_step(index: int) -> tuple[float, float | None]:
    """Do one step with the images of its round; return its seconds and its loss."""
    torch.manual_seed(index)
    losses = []
    seconds = seconds_of(lambda: losses.append(own.step(own.batches[index])), own.clock)
    loss = None if losses[0] is None else losses[0].item()
    if loss is not None and not math.isfinite(loss):
        raise RunError(f'The loss of step {index} is {loss}: what was timed is no training.')
    return seconds, loss


def input_size() -> str:
    """The largest input of this contender."""
    return own.size


def build_own(contender: Contender, work: Work):
    """A config of this project: its step, batches and input size."""
    path = Path(REPOSITORY, 'configs/digits', f'{contender.config}.py')
    cfg = Config.fromfile(path if path.is_file() else find_config(contender.config))
    cfg.merge_from_dict(contender.options)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    prepare_as_configured(model.to(DEVICE), cfg)
    torch.backends.cudnn.benchmark = cfg.env_cfg.get('cudnn_benchmark', False)
    loader = cfg.train_dataloader if work.training else cfg.test_dataloader
    pipeline = loader.dataset.pipeline
    (width, height) = next(step.scale for step in pipeline if step.type == 'Resize')
    if work.amp:
        cfg.optim_wrapper.type = 'PortableAmpOptimWrapper'
    wrapper = build_optim_wrapper(model.train(), cfg.optim_wrapper)
    mixed = work.amp or cfg.test_cfg.get('fp16', False)

    def train(batch):
        return model.train_step(batch, wrapper)['loss']

    @torch.no_grad()
    def predict(batch):
        with autocast(enabled=mixed):
            model.eval().test_step(batch)

    batches = [pseudo_collate(items) for items in read_batches(work, pipeline)]
    return train if work.training else predict, batches, f'{width}x{height}'


def build_peer(contender: Contender, work: Work):
    """The detector of torchvision, from its own package: its step, batches and input size."""
    model = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=11)
    for name, parameter in model.backbone.body.named_parameters():
        parameter.requires_grad_(not name.startswith(FROZEN_BY_DEFAULT))
    model.to(DEVICE).train()
    sgd = torch.optim.SGD(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=5e-3,
        momentum=0.9,
        weight_decay=5e-4,
    )
    kind = 'PortableAmpOptimWrapper' if work.amp else 'OptimWrapper'
    wrapper = OPTIM_WRAPPERS.build(dict(type=kind, optimizer=sgd))

    def train(batch):
        images, targets = on_device(batch)
        with wrapper.optim_context(model):
            loss = sum(model(images, targets).values())
        wrapper.update_params(loss)
        return loss.detach()

    @torch.no_grad()
    def predict(batch):
        with autocast(enabled=work.amp):
            model.eval()(on_device(batch)[0])

    pipeline = Config.fromfile(REPOSITORY / DATA_CONFIG).train_pipeline
    pipeline = [step for step in pipeline if step.type != 'Resize']
    batches = [
        list(zip(*map(to_torchvision, items), strict=True))
        for items in read_batches(work, pipeline)
    ]
    return train if work.training else predict, batches, PEER_SIZE


def read_batches(work: Work, pipeline: list[dict]) -> list[list[dict]]:
    """Read the images of each round through a pipeline."""
    dataset = Config.fromfile(REPOSITORY / DATA_CONFIG).train_dataloader.dataset
    dataset.update(data_root='', ann_file=str(work.ann), data_prefix=dict(img=f'{work.images}/'))
    dataset = DATASETS.build(dict(dataset, pipeline=pipeline))
    if len(dataset) < work.rounds * work.batch:
        raise InputError(
            f'{work.ann}: too few images with digits.',
            str(len(dataset)),
            f'{work.rounds * work.batch}: as many as are timed, each once',
            'a smaller --batch, or fewer --repeats',
        )
    return [
        [dataset[i] for i in range(first, first + work.batch)]
        for first in range(0, work.rounds * work.batch, work.batch)
    ]


def to_torchvision(item: dict) -> tuple[torch.Tensor, dict]:
    """An image in RGB from 0 to 1, and its boxes with labels from 1."""
    truth = item['data_samples'].gt_instances
    target = dict(boxes=truth.bboxes.tensor, labels=truth.labels + 1)
    return item['inputs'].flip(0).float() / 255, target


def on_device(batch) -> tuple[list[torch.Tensor], list[dict]]:
    """Copy a batch of the peer to where it computes."""
    images, targets = batch
    return (
        [image.to(DEVICE) for image in images],
        [{name: value.to(DEVICE) for name, value in target.items()} for target in targets],
    )
