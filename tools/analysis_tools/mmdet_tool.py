"""Run an analysis script that mmdet ships; without a name, list them.

  python tools/analysis_tools/mmdet_tool.py confusion_matrix CONFIG predictions.pkl OUT_DIR

What follows the name goes to the script: mmdet_tool.py NAME --help. Predictions are those of
tools/test.py --out. Options of this tool come before the name.
"""

import argparse
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmdet_digits.cli import run_tool
from mmdet_digits.repository import DATA_ROOT


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data-root', help='folder with the data set (or set DIGITS_DATA_ROOT)')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    parser.add_argument('name', nargs='?', metavar='NAME', help='of the script')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, metavar='ARGS', help='for it')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmdet_digits.runs.mmdet_tools import list_tools, run_mmdet_tool

    if args.name is None:
        table = Table('name', 'what it does')
        for name, purpose in list_tools().items():
            table.add_row(name, purpose)
        Console(markup=False).print(table)
        return
    root = Path(args.data_root or os.environ.get('DIGITS_DATA_ROOT', DATA_ROOT)).resolve()
    run_mmdet_tool(args.name, args.arguments, root)


if __name__ == '__main__':
    run_tool(main)
