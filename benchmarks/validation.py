"""What a validation costs: losses, predictions and metrics.

python benchmarks/validation.py loss configs/digits/frcnn_tiny.py --checkpoint work_dirs/.../x.pth
python benchmarks/validation.py systems --images svhn/train --ann svhn/train.json
python benchmarks/validation.py systems --own-scale --batch 2 --repeats 1

``loss`` times four ways to validate the same batches: predictions alone; predictions and losses
from one pass (``ValLossLoop``), with the same proposals or with proposals of their own for the
losses; and predictions and losses from a pass each.

``systems`` times whole validations, metrics included: this project's beside torchvision's detector
validated as the published systems did, at this project's scale and, with ``--own-scale``, at its
own as well. All weights are random, which leaves all of them with as many detections as they may
give, 100 an image: more work for non-maximum suppression and metrics than trained weights leave.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import torch
from contenders import Work, work_of, work_parser
from detectors import DATA_CONFIG, DEVICE, PEER, PEER_SIZE, build_model, scale_of

# isort: split
from common import describe_machine, print_table, spread, time_in_turn
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from validation_systems import Validator, own_validator, peer_validator

from mmdet_digits.cli import config_parser, positive, run_tool
from mmdet_digits.engine.predict_with_loss import predict_with_loss, scale_ground_truth
from mmdet_digits.launching import load_config
from mmdet_digits.repository import REPOSITORY


def main():
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    loss = config_parser('What the losses cost on top of the predictions.')
    loss.add_argument('--checkpoint', help='trained weights (default: random ones)')
    loss.add_argument('--batches', type=positive, default=2)
    loss.add_argument('--repeats', type=positive, default=5)
    systems = work_parser('Whole validations, beside the published systems.', repeats=3)
    systems.add_argument(
        'contenders',
        nargs='*',
        default=['frcnn_v2_fp32', 'frcnn_fp32', 'frcnn_tiny'],
        help=f'names or paths of configs to set beside {PEER} (default: %(default)s)',
    )
    systems.add_argument(
        '--own-scale', action='store_true', help=f'{PEER} at its own {PEER_SIZE} as well'
    )
    for name, command in (('loss', loss), ('systems', systems)):
        commands.add_parser(name, parents=[command], add_help=False, help=command.description)
    args = parser.parse_args()
    init_default_scope('mmdet')
    {'loss': compare_ways, 'systems': compare_systems}[args.command](args)


def compare_ways(args: argparse.Namespace) -> None:
    """Print what the losses of one config cost on top of its predictions."""
    cfg = load_config(args, splits=('val',))
    model = build_model(cfg, args.checkpoint).eval()
    loader = Runner.build_dataloader({**cfg.val_dataloader, 'persistent_workers': False})
    batches = [batch for _, batch in zip(range(args.batches), loader, strict=False)]
    ways = {
        'predictions': model.val_step,
        'both, one pass': lambda batch: predict_with_loss(model, batch),
        '.. own proposals': lambda batch: predict_with_loss(model, batch, share_proposals=False),
        'both, two passes': lambda batch: two_passes(model, batch),
    }
    with torch.no_grad():
        seconds = time_in_turn(
            {name: lambda way=way: [way(batch) for batch in batches] for name, way in ways.items()},
            args.repeats,
            time.perf_counter if DEVICE == 'cuda' else time.process_time,
        )
    report_ways(args, seconds, sum(len(batch['inputs']) for batch in batches))


def two_passes(model, batch: dict):
    """Predict, then compute the losses from the images again."""
    model.val_step(batch)
    data = model.data_preprocessor(batch, False)
    targets = [scale_ground_truth(sample) for sample in data['data_samples']]
    return model.loss(data['inputs'], targets)


def report_ways(args, seconds: dict[str, list[float]], images: int) -> None:
    """Print the time per image of each way, and its ratio to predictions alone."""
    weights = args.checkpoint or 'random weights'
    print(
        f'{describe_machine()}\n{args.config}, {weights}, {images} images, {args.repeats} repeats\n'
    )
    plain = statistics.median(seconds['predictions'])
    rows = [
        [
            name,
            spread([1e3 * value / images for value in values]),
            f'{statistics.median(values) / plain:.2f}',
        ]
        for name, values in seconds.items()
    ]
    print_table(['validation', 'ms per image', 'times the predictions'], rows)


def compare_systems(args: argparse.Namespace) -> None:
    """Print what whole validations cost, each round on images of its own."""
    logging.disable(logging.INFO)
    own_scale = scale_of(Config.fromfile(REPOSITORY / DATA_CONFIG).train_pipeline)
    sizes = [own_scale] + [PEER_SIZE] * args.own_scale
    plans = [(peer_validator, size) for size in sizes]
    plans += [(own_validator, config) for config in args.contenders]
    rows = []
    with work_of(args, training=False) as work, tempfile.TemporaryDirectory() as folder:
        for group in [[plan] for plan in plans] if work.one_by_one else [plans]:
            with redirect_stdout(None):  # pycocotools prints its progress
                validators = [build(what, work, Path(folder)) for build, what in group]
                rows += time_systems(validators, work)
    report_systems(rows, work.batch)


def time_systems(validators: Sequence[Validator], work: Work) -> list[tuple[Validator, list, list]]:
    """Time validators that are in memory together, round by round.

    Returns:
        Each with its seconds and its detections per image, round by round after the first.
    """
    detections = [[] for _ in validators]

    def rounds_of(place: int) -> Callable[[], None]:
        left = iter(range(work.rounds))
        return lambda: detections[place].append(validators[place].validate(next(left)))

    seconds = time_in_turn(
        {place: rounds_of(place) for place in range(len(validators))},
        work.rounds - 1,
        time.process_time if work.cpu_time else time.perf_counter,
    )
    return [
        (validator, seconds[place], detections[place][1:])
        for place, validator in enumerate(validators)
    ]


def report_systems(rows: list[tuple[Validator, list, list]], batch: int) -> None:
    """Print seconds per image, and how many times as cheap as the first each is."""
    first = statistics.median(rows[0][1])
    cells = [
        [
            validator.name,
            validator.size,
            spread([value / batch for value in seconds]),
            f'{statistics.mean(detections):.3g}',
            f'{first / statistics.median(seconds):.1f}',
        ]
        for validator, seconds, detections in rows
    ]
    print_table(
        ['validation', 'input up to', 's per image', 'detections per image', 'times as cheap'],
        cells,
    )


if __name__ == '__main__':
    run_tool(main)
