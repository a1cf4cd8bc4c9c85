"""What each ingredient of the drawn scenes is worth on photographs.

python benchmarks/renderer.py --real data/svhn
python benchmarks/renderer.py --real data/svhn --variants all without:blur,jpeg glyphs:mnist.npz

For each variant scenes are drawn, a detector is trained on them alone, and it reads photographs.
Variants: all; without:NAME,... leaves ingredients out; only:NAME,... all others; glyphs:PATH,
fonts:PATH, backgrounds:PATH, layouts:PATH and box-style:PATH are those of tools/prepare_data.py.

The photographs are a split of --real that no training here sees; by default its training split,
so that the test split stays unused. What is done is not done again. Intervals (Wilson, 95 %) are of
the photographs alone; another seed may move a figure by more.
"""

import argparse
import json
import re
import shlex
import sys
from pathlib import Path

from common import describe_machine, print_table
from detectors import named_config
from tradeoffs import figures_of
from variant_runs import Experiment, last_checkpoint
from variants import run_options

from mmdet_digits.cli import positive, run_tool
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_writable, read_json, write_file
from mmdet_digits.synthetic import DatasetSpec, SceneSource, write_dataset
from mmdet_digits.synthetic.parameters import LOOKS
from mmdet_digits.synthetic.sources import INGREDIENTS, all_but

FILES = ('glyphs', 'fonts', 'backgrounds', 'layouts', 'box-style')
VARIANTS = (
    'all',
    'without:fonts',
    'without:strokes',
    'without:handwriting',
    'without:layouts',
    'without:perspective',
    'without:plates',
    'without:distractors,shadows',
    'without:contrast',
    'without:blur,jpeg,noise',
)


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', default='frcnn_tiny', help='default: %(default)s')
    parser.add_argument('--real', type=Path, required=True, help='folder of photographs')
    parser.add_argument('--split', default='train', help='of --real (default: %(default)s)')
    parser.add_argument('--variants', nargs='+', default=VARIANTS, metavar='NAME')
    parser.add_argument('--images', type=positive, default=2000, help='default: %(default)s')
    parser.add_argument('--epochs', type=positive, default=2, help='default: %(default)s')
    parser.add_argument('--look', choices=LOOKS, default='street', help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='of the scenes (default: 0)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/renderer'))
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    """Draw, train and test each variant; print the table and write it."""
    args = parse_args()
    check_writable(args.out)
    specs = {
        name: DatasetSpec(args.images, 50, 0, args.seed, args.look, source_of(name))
        for name in args.variants
    }
    photographs = len(read_json(args.real / f'{args.split}.json', 'a COCO file')['images'])
    header = ['scenes', 'mAP', 'AP50', 'number accuracy']
    results, rows = {}, []
    for name, spec in specs.items():
        print(f'{name} ...', flush=True)
        metrics = run_variant(args, name, spec)
        figures = figures_of(metrics, photographs)
        results[name] = dict(source=spec.source.record(), **figures)
        rows.append(row_of(name, figures))
    print(
        f'\n{describe_machine()}\n{args.config}, {args.images:,} scenes x {args.epochs} epochs; '
        f'read: {photographs:,} photographs\n'
    )
    print_table(header, rows)
    command = shlex.join(['python', 'benchmarks/renderer.py', *sys.argv[1:]])
    text = json.dumps(dict(command=command, machine=describe_machine(), variants=results), indent=2)
    write_file(args.out / 'renderer.json', text + '\n')


def source_of(name: str) -> SceneSource:
    """The scene source that a variant's name stands for.

    Raises:
        InputError: it stands for none, or for one that is not possible.
    """
    kind, _, value = name.partition(':')
    if name == 'all':
        return SceneSource()
    if kind in ('without', 'only') and value:
        names = tuple(value.split(','))
        return SceneSource(without=names if kind == 'without' else all_but(names))
    if kind in FILES and value:
        return SceneSource(**{kind.replace('-', '_'): value})
    raise InputError(
        '--variants: there is no such variant.',
        repr(name),
        f'all, without:NAMES or only:NAMES ({", ".join(INGREDIENTS)}), or FILE:PATH with one of '
        f'{", ".join(FILES)}',
        'correct it; --help has examples',
    )


def run_variant(args, name: str, spec: DatasetSpec) -> dict:
    """Draw the scenes of a variant, train on them, read the photographs; return the metrics."""
    root = args.out / 'scenes' / re.sub(r'[^A-Za-z0-9.]+', '_', f'{name} {spec.seed} {spec.train}')
    write_dataset(root.resolve(), spec)
    config = named_config(args.config).resolve()
    plain = Experiment(config, root.resolve(), args.out)
    options = run_options(plain.read_config(), args.epochs, None)
    experiment = Experiment(config, root.resolve(), args.out, options)
    checkpoint = last_checkpoint(experiment.train({}))
    read = {
        'test_dataloader.dataset.ann_file': f'{args.split}.json',
        'test_dataloader.dataset.data_prefix.img': f'{args.split}/',
        'test_evaluator.0.ann_file': str(args.real.resolve() / f'{args.split}.json'),
    }
    return experiment.test(checkpoint, read, args.real.resolve())


def row_of(name: str, figures: dict) -> list[str]:
    """The cells of a variant."""
    accuracy = '{number_accuracy:.3f} ({low:.3f}-{high:.3f})'.format(**figures)
    return [name, f'{figures["mAP"]:.3f}', f'{figures["AP50"]:.3f}', accuracy]


if __name__ == '__main__':
    run_tool(main)
