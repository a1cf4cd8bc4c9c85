"""What accuracy costs: variants of one config, each trained and tested, in a table and a figure.

python benchmarks/tradeoffs.py resolution --data-root data/digits --real data/svhn --epochs 3
python benchmarks/tradeoffs.py rois --train-images 2000 --variants 16 64 256
python benchmarks/tradeoffs.py proposals --checkpoint work_dirs/demo/epoch_1.pth
python benchmarks/tradeoffs.py train_proposals
python benchmarks/tradeoffs.py peer --variants ours peer-rois peer-512x307

Studies: the size of the images (WxH: fitted into it; WxH-maxN: the same, but enlarged at most N
times; height-H: H px high, since the height of the digits is not known before they are found); the
RoIs sampled in training; the proposals in testing (one training, many tests) and in training; and
torchvision's RoI budget and image size against ours.

Every variant sees the same images equally often, by tools/train.py, and is tested by tools/test.py.
What is done is not done again: a study that was stopped goes on with the same command, and studies
share equal trainings. Costs are those of the clock, so leave the machine alone meanwhile. The knee
is the cheapest variant whose number accuracy is not below the interval of the best one. That
interval (Wilson, 95 %) is of the test images alone; another seed may move a figure by more.
"""

import argparse
import contextlib
import io
import json
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from common import describe_machine, print_table
from detectors import named_config
from scipy.stats import binomtest
from tradeoff_figure import TradeoffPanel, save_tradeoff_figure
from tradeoff_points import TradeoffPoint, find_knee
from variant_runs import Experiment, last_checkpoint, measure_steps, training_seconds
from variants import STUDIES, run_options

from mmdet_digits.checks.config_data import coco_splits
from mmdet_digits.checks.preflight import check_options
from mmdet_digits.cli import add_config_options, fraction, positive, run_tool
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_writable, read_json, write_file
from mmdet_digits.launching import find_checkpoint
from mmdet_digits.repository import REPOSITORY

COSTS = {'training': 'training, ms per image', 'prediction': 'prediction, ms per image'}


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('study', choices=STUDIES)
    parser.add_argument('config', nargs='?', default='frcnn_tiny', help='default: %(default)s')
    parser.add_argument(
        '--data-root',
        type=Path,
        default=os.environ.get('DIGITS_DATA_ROOT', REPOSITORY / 'data/digits'),
        help='folder that is trained and tested on (default: as for tools/train.py)',
    )
    parser.add_argument('--real', type=Path, help='another folder to test on, e.g. photographs')
    parser.add_argument('--epochs', type=positive, help='default: as many as the config has')
    parser.add_argument(
        '--train-images', type=positive, metavar='N', help='train on the first N (default: all)'
    )
    parser.add_argument('--variants', nargs='+', metavar='NAME', help='default: those of the study')
    parser.add_argument('--checkpoint', help='proposals: test this one instead of training one')
    parser.add_argument(
        '--within',
        type=fraction,
        metavar='SHARE',
        help='the knee may be so far below the best, e.g. 0.01 (default: its interval)',
    )
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/tradeoffs'), help='default: %(default)s'
    )
    add_config_options(parser)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    args = parser.parse_args()
    if args.checkpoint and STUDIES[args.study].retrained:
        parser.error(f'--checkpoint: the study {args.study} trains each variant')
    return args


def main():
    """Run a study; write and print what it found."""
    args = parse_args()
    study = STUDIES[args.study]
    experiment = set_up(args)
    cfg = experiment.read_config()
    variants = {name: study.options(cfg, name) for name in args.variants or study.names}
    roots = name_roots(args.data_root, args.real)
    images = count_images(experiment, experiment.data_root, 'train')
    results = {
        'study': args.study,
        'command': shlex.join(['python', 'benchmarks/tradeoffs.py', *sys.argv[1:]]),
        'machine': describe_machine(),
        'config': experiment.config.stem,
        'epochs': cfg.train_cfg.max_epochs,
        'train_images': min(images, args.train_images or images),
        'test_images': {
            name: count_images(experiment, root, 'test') for name, root in roots.items()
        },
    }
    print(f'{results["machine"]}\n{args.study}: {study.about}; {", ".join(variants)}')
    trainings = {} if args.checkpoint else (variants if study.retrained else {'': {}})
    print_estimate(experiment, trainings, results)
    results['variants'] = {
        name: run_variant(experiment, args, name, options, roots, results['test_images'])
        for name, options in variants.items()
    }
    results['knees'] = find_knees(results, args.within)
    save_results(results, args.out / args.study)


def set_up(args) -> Experiment:
    """The experiment that the arguments describe, checked.

    Raises:
        InputError: a config, an option or a data set is not what it should be.
    """
    config = named_config(args.config).resolve()
    plain = Experiment(config, args.data_root.resolve(), args.out)
    cfg = plain.read_config()
    findings = check_options(cfg.to_dict(), args.cfg_options)
    if findings:
        raise InputError('\n'.join(map(str, findings)))
    own_options = {path.lstrip('+'): value for path, value in args.cfg_options.items()}
    shorter = run_options(cfg, args.epochs, args.train_images)
    experiment = Experiment(config, plain.data_root, args.out, {**shorter, **own_options})
    experiment.check_data_is_there(plain.data_root, ['train', 'val', 'test'])
    if args.real:
        experiment.check_data_is_there(args.real.resolve(), ['test'])
    if args.checkpoint:
        find_checkpoint(args.checkpoint)
    check_writable(args.out)
    return experiment


def name_roots(data_root: Path, real: Path | None) -> dict[str, Path]:
    """The folders to test on, by name."""
    roots = [path.resolve() for path in (data_root, real) if path]
    same = len({root.name for root in roots}) < len(roots)
    return {str(root) if same else root.name: root for root in roots}


def count_images(experiment: Experiment, root: Path, split: str) -> int:
    """How many images a split of a folder has, those without digits included.

    Raises:
        InputError: the config draws them as it goes, or reads them from elsewhere.
    """
    splits = coco_splits(experiment.read_config(data_root=root), [split])
    if split not in splits:
        raise InputError(
            f'{experiment.config.name}: its {split}_dataloader cannot be studied.',
            'a data set without a COCO file',
            'one with a .json file, which says how many images there are',
            'choose another config',
        )
    return len(read_json(splits[split].ann_file, 'a COCO file')['images'])


def print_estimate(experiment: Experiment, trainings: Mapping[str, Mapping], results) -> None:
    """Say how long the trainings that are still to be done will take."""
    open_ones = {
        experiment.training_of(options): options
        for options in trainings.values()
        if not experiment.is_trained(options)
    }
    seen = results['train_images'] * results['epochs']
    steps = measure_steps(experiment, open_ones)
    minutes = sum(steps.values()) * seen / 60
    print(
        f'{len(open_ones)} trainings to do, each of {seen:,} images in {results["epochs"]} epochs: '
        f'about {minutes:.1f} minutes by one step of each; start-ups, validations and tests come '
        'on top\n'
        if open_ones
        else 'Nothing to train.\n',
        flush=True,
    )


def run_variant(
    experiment: Experiment, args, name: str, options: Mapping, roots: Mapping, images: Mapping
) -> dict:
    """Train a variant and test it on each data set; return its figures."""
    retrained = STUDIES[args.study].retrained
    print(f'{name} ...', flush=True)
    if args.checkpoint:
        folder, seconds, checkpoint = None, None, find_checkpoint(args.checkpoint)
    else:
        folder = experiment.train(options if retrained else {})
        seconds, checkpoint = training_seconds(folder), last_checkpoint(folder)
    return {
        'options': options,
        'training': str(folder) if folder else None,
        'checkpoint': str(checkpoint),
        'training_ms_per_image': 1e3 * seconds if seconds and retrained else None,
        'tests': {
            data: figures_of(experiment.test(checkpoint, options, root), images[data])
            for data, root in roots.items()
        },
    }


def figures_of(metrics: Mapping[str, Any], images: int) -> dict[str, Any]:
    """What a test found, with the interval of the number accuracy.

    Args:
        metrics: as tools/test.py writes them.
        images: how many were tested.

    Raises:
        InputError: there is no number accuracy among them.
    """
    accuracy = metrics.get('number/accuracy')
    if accuracy is None:
        raise InputError(
            'A test gave no number accuracy, by which variants are compared.',
            f'{metrics.get("ann_file")} and the metrics {", ".join(metrics)[:120]}',
            'a test split with digits annotated, and a NumberMetric in test_evaluator',
            'test on another folder, or with another config',
        )
    interval = binomtest(round(accuracy * images), images).proportion_ci(method='wilson')
    return {
        'mAP': metrics['coco/bbox_mAP'],
        'AP50': metrics['coco/bbox_mAP_50'],
        'number_accuracy': accuracy,
        'low': float(interval.low),
        'high': float(interval.high),
        'prediction_ms_per_image': 1e3 / metrics['images_per_second'],
    }


def points_of(results: Mapping, data: str, cost: str) -> list[TradeoffPoint]:
    """The variants as points of cost and number accuracy; none where the cost is not known."""
    points = []
    for name, variant in results['variants'].items():
        test = variant['tests'][data]
        value = {**variant, **test}[f'{cost}_ms_per_image']
        if value is not None:
            figures = (test[key] for key in ('number_accuracy', 'low', 'high'))
            points.append(TradeoffPoint(name, value, *figures))
    return points


def find_knees(results: Mapping, within: float | None) -> dict[str, dict[str, str]]:
    """The name of the knee for each data set and kind of cost."""
    return {
        data: {
            cost: find_knee(points, within).name
            for cost in COSTS
            if (points := points_of(results, data, cost))
        }
        for data in results['test_images']
    }


def save_results(results: Mapping, stem: Path) -> None:
    """Print the table; write it, the figure and everything as JSON."""
    text = table_of(results)
    print(f'\n{text}')
    caption = (
        f'{results["config"]}, {results["train_images"]:,} images x {results["epochs"]} epochs, '
        f'one training each\n{fill(results["command"], 120)}\n{results["machine"]}'
    )
    costs = list(next(iter(results['knees'].values())))
    rows = [
        [
            TradeoffPanel(
                f'{data}: {images:,} test images',
                COSTS[cost],
                points_of(results, data, cost),
                results['knees'][data][cost],
            )
            for cost in costs
        ]
        for data, images in results['test_images'].items()
    ]
    write_file(stem.with_suffix('.md'), text)
    write_file(stem.with_suffix('.json'), json.dumps(results, indent=2) + '\n')
    save_tradeoff_figure(stem.with_suffix('.png'), rows, 'number accuracy', caption)
    print(f'written to {stem}.md, {stem}.json, {stem}.png')


def table_of(results: Mapping) -> str:
    """One Markdown table per data set, and its knees."""
    text = io.StringIO()
    header = ['', 'training, ms/image', 'prediction, ms/image', 'mAP', 'AP50', 'number accuracy']
    with contextlib.redirect_stdout(text):
        for data, images in results['test_images'].items():
            print(f'Tested on {data}, {images:,} images:\n')
            print_table(header, [row_of(*item, data) for item in results['variants'].items()])
            knees = ', '.join(f'{name} by {cost}' for cost, name in results['knees'][data].items())
            print(f'\nKnee: {knees}.\n')
    return text.getvalue()


def row_of(name: str, variant: Mapping, data: str) -> list[str]:
    """The cells of a variant."""
    test, training = variant['tests'][data], variant['training_ms_per_image']
    return [
        name,
        '-' if training is None else f'{training:.3g}',
        f'{test["prediction_ms_per_image"]:.3g}',
        f'{test["mAP"]:.3f}',
        f'{test["AP50"]:.3f}',
        f'{test["number_accuracy"]:.3f} ({test["low"]:.3f}-{test["high"]:.3f})',
    ]


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without the run under way
    run_tool(main)
