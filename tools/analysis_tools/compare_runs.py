"""Compare trainings: what they cost and what they reached.

  python tools/analysis_tools/compare_runs.py work_dirs/frcnn_v2_fp32 work_dirs/frcnn_v2_amp

The time per epoch is that of the training iterations and of validation's batches; the largest
batch is known where benchmarks/largest_batch.py has written largest_batch.json into the run. What
is not known is a dash.
"""

import argparse
import json
import sys
from dataclasses import asdict

from rich.console import Console

from mmdet_digits.cli import run_tool
from mmdet_digits.files import check_outputs, write_file
from mmdet_digits.runs.run_history import read_runs
from mmdet_digits.runs.run_summary import find_differences, summarize_run
from mmdet_digits.visualization.run_figure import save_run_figure
from mmdet_digits.visualization.run_table import (
    comparison_markdown,
    comparison_rows,
    comparison_table,
)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work dir of a training')
    parser.add_argument('--names', nargs='+', help='what to call them (default: their folders)')
    parser.add_argument('--markdown', metavar='FILE', help='write the table as Markdown')
    parser.add_argument('--json', metavar='FILE', help="write the figures under the metrics' keys")
    parser.add_argument('--figure', metavar='PNG', help='draw the curves, as plot_run.py does')
    parser.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    outputs = list(filter(None, (args.markdown, args.json, args.figure)))
    check_outputs(outputs, args.overwrite)
    runs = read_runs(args.runs, args.names)
    summaries = {name: summarize_run(run) for name, run in runs.items()}
    rows = comparison_rows(summaries)
    notes = [note for run in runs.values() for note in run.notes] + find_differences(runs)

    Console(markup=False).print(comparison_table(rows))
    for note in notes:
        print(f'note: {note}', file=sys.stderr)
    if args.figure:
        save_run_figure(args.figure, runs)
    if args.markdown:
        write_file(args.markdown, comparison_markdown(rows))
    if args.json:
        content = {name: asdict(summary) for name, summary in summaries.items()}
        write_file(args.json, json.dumps({'runs': content, 'notes': notes}, indent=2) + '\n')
    for path in outputs:
        print(f'written to {path}')


if __name__ == '__main__':
    run_tool(main)
