"""Write a page about trainings: python tools/analysis_tools/report.py RUN... -o report.html.

What was run, what it cost, its curves, its tests (metrics.json of tools/test.py), and the config;
with several runs a column each, and where their configs differ. The page needs nothing else: no
network, no JavaScript. The same runs give the same bytes.
"""

import argparse

from mmdet_digits.cli import run_tool
from mmdet_digits.files import check_outputs, write_file
from mmdet_digits.runs.run_history import read_runs


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work dir of a training')
    parser.add_argument('-o', '--out', default='report.html', help='default: report.html')
    parser.add_argument('--names', nargs='+', help='what to call them (default: their folders)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier page')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmdet_digits.visualization.run_report import run_report

    check_outputs([args.out], args.overwrite)
    write_file(args.out, run_report(read_runs(args.runs, args.names)))
    print(f'written to {args.out}')


if __name__ == '__main__':
    run_tool(main)
