"""Draw the curves of a training, or of several over each other.

  python tools/analysis_tools/plot_run.py work_dirs/frcnn_tiny -o curves.png

Losses, mAP, AP50, number accuracy, digit precision, learning rate, time per iteration and memory,
as far as they are logged. A run that is still going on, or was resumed, is read as it stands.
"""

import argparse
import sys

from mmdet_digits.cli import run_tool
from mmdet_digits.files import check_outputs
from mmdet_digits.runs.run_history import read_runs
from mmdet_digits.visualization.run_figure import save_run_figure


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work dir of a training')
    parser.add_argument(
        '-o', '--out', default='curves.png', help='.png, .pdf or .svg (default: curves.png)'
    )
    parser.add_argument(
        '--names', nargs='+', help='what the legend calls the runs (default: their folders)'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier figure')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    check_outputs([args.out], args.overwrite)
    runs = read_runs(args.runs, args.names)
    for run in runs.values():
        for note in run.notes:
            print(f'note: {note}', file=sys.stderr)
    save_run_figure(args.out, runs)
    print(f'written to {args.out}')


if __name__ == '__main__':
    run_tool(main)
