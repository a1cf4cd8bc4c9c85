"""Training: images per second and peak memory, beside torchvision's own detector and recipe.

python benchmarks/train_step.py                                # torchvision, frcnn_fp32, frcnn_tiny
python benchmarks/train_step.py --images svhn/train --ann svhn/train.json
python benchmarks/train_step.py torchvision frcnn_amp --amp --batch 16

A step is forward, backward and the optimizer, on images that are decoded already. Each contender
has a process of its own and they take turns. The default takes about 5 minutes on two CPU cores,
nearly all of it torchvision's.
"""

from contenders import Contender, compare, report, work_of, work_parser
from detectors import PEER

from mmdet_digits.cli import run_tool


def main(training: bool = True, description: str = __doc__):
    """Print the table.

    Args:
        training: time steps of training, or predictions.
        description: for ``--help``.
    """
    parser = work_parser(description)
    parser.add_argument(
        'contenders',
        nargs='*',
        default=[PEER, 'frcnn_fp32', 'frcnn_tiny'],
        help=f'{PEER}, or names or paths of configs; the first is what the others are compared '
        'with (default: %(default)s)',
    )
    args = parser.parse_args()
    with work_of(args, training) as work:
        report(compare([Contender(name, name) for name in args.contenders], work))


if __name__ == '__main__':
    run_tool(main)
