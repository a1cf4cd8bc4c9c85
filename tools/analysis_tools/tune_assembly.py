"""Tune the number assembly on a split that has annotations.

  python tools/analysis_tools/tune_assembly.py pred.json --ann valid.json --out DIR

Tries every score threshold with every IoU threshold and every variant of the other rules. Writes
DIR/assembly.json for --assembly, DIR/config_line.txt for a config, DIR/sweep.csv and DIR/sweep.png.
A setting is judged fairly only on images that did not choose it: --report-pred and --report-ann.
"""

import argparse
import csv
import io
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from mmdet_digits.assembly.number_assembly import PRESETS
from mmdet_digits.assembly.sweep import (
    IOUS,
    OBJECTIVES,
    SCORES,
    SYSTEM_B_IOUS,
    SYSTEM_B_SCORES,
    best_row,
    coverage_table,
    judge,
    score_sweep,
    sweep_grid,
    table_of,
)
from mmdet_digits.assembly.true_numbers import GT_ORDERS, true_numbers
from mmdet_digits.cli import add_ignore_classes, fraction, natural, positive, run_tool
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.assembly_files import (
    assembly_beside,
    assembly_json,
    config_line,
    config_options,
)
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.files import check_outputs, read_file, write_file
from mmdet_digits.repository import tool_command
from mmdet_digits.visualization.sweep_figure import HeatMap, save_sweep_figure

FILES = ('assembly.json', 'config_line.txt', 'sweep.csv', 'sweep.png')


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pred', help='pred.json, or the .pkl of tools/test.py --out')
    parser.add_argument('--ann', required=True, help='COCO file with the true boxes')
    parser.add_argument('--out', type=Path, required=True, help='folder for the outputs')
    parser.add_argument('--report-pred', help='predictions on another split, to judge the choice')
    parser.add_argument('--report-ann', help='annotations of that split')
    parser.add_argument('--objective', choices=OBJECTIVES, default='accuracy')
    parser.add_argument('--scores', type=fraction, nargs='+', default=SCORES, metavar='S')
    parser.add_argument('--ious', type=iou_value, nargs='+', default=IOUS, metavar='IOU|none')
    add_ignore_classes(parser)
    parser.add_argument('--gt-order', choices=GT_ORDERS, default='left', help='default: left')
    parser.add_argument('--repeats', type=positive, default=1000, help='bootstrap samples')
    parser.add_argument('--seed', type=natural, default=0, help='of the bootstrap')
    parser.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    args = parser.parse_args()
    if bool(args.report_pred) != bool(args.report_ann):
        parser.error('--report-pred and --report-ann belong together')
    args.scores = sorted({*args.scores, *SYSTEM_B_SCORES})
    args.ious = sorted({*args.ious, *SYSTEM_B_IOUS}, key=lambda iou: -1 if iou is None else iou)
    return args


def iou_value(text):
    return None if text == 'none' else fraction(text)


def main():
    args = parse_args()
    console = Console(markup=False)
    outputs = [args.out / name for name in FILES]
    inputs = (args.pred, args.ann, args.report_pred, args.report_ann)
    check_outputs(outputs, args.overwrite, inputs=inputs)
    if args.report_ann:
        refuse_same_split(args)
    detections, truth = load_split(args, args.pred, args.ann)
    report = args.report_ann and load_split(args, args.report_pred, args.report_ann)

    grid = sweep_grid(args.scores, args.ious)
    with console.status(f'{len(grid):,} settings'):
        rows = score_sweep(detections, truth, grid)
    best = best_row(rows, args.objective)
    console.print(f'{len(rows):,} settings on {len(truth):,} images of {args.ann}', soft_wrap=True)
    console.print(variant_table(rows, args.objective))
    console.print(ablation_table(rows, args.objective))
    compared = {'chosen': best.assembly, **PRESETS}
    if (own := assembly_beside(args.pred)) and own not in PRESETS.values():
        compared["the predictions' own"] = own
    judged = judge(detections, truth, compared, args.objective, args.repeats, args.seed)
    console.print(judgement_table(judged, f'{args.objective} on the split that chose'))
    if report:
        judged = judge(*report, compared, args.objective, args.repeats, args.seed)
        console.print(judgement_table(judged, f'{args.objective} on {args.report_ann}'))
    coverages = coverage_table(*(report or (detections, truth)), best.assembly)
    console.print(confidence_table(coverages, args.report_ann or args.ann))
    if not report:
        console.print(optimistic(args))

    contents = (assembly_json(best.assembly), snippet(best, outputs[0]), sweep_csv(rows))
    for path, content in zip(outputs, contents, strict=False):
        write_file(path, content)
    draw(outputs[-1], rows, best, args)
    print(snippet(best, outputs[0]), f'written to {args.out}', sep='\n')


def refuse_same_split(args):
    tuned, reported = (read_file(path, 'a COCO file') for path in (args.ann, args.report_ann))
    if tuned == reported:
        raise InputError(
            f'--report-ann {args.report_ann}: cannot judge the choice.',
            f'the same annotations as --ann {args.ann}',
            'images that did not choose the setting',
            'give another split, or leave --report-pred and --report-ann out and take the figure '
            'as the optimistic one it is',
        )


def load_split(args, pred, ann):
    annotations = read_annotations(ann, args.ignore_classes)
    detections = annotations.detections_of(read_predictions(pred))
    return detections, true_numbers(annotations.truth, args.gt_order)


def optimistic(args):
    return Panel(
        f'The figure of "chosen" is optimistic: {args.ann} has chosen the setting and judges it.\n'
        'Judge it on another split by --report-pred and --report-ann before you publish it.',
        title='tuned and reported on the same images',
        border_style='bold red',
    )


def percent(value):
    return f'{100 * value:.2f}'


def variant_table(rows, objective):
    table = Table('variant', 'score', 'IoU', title=f'best {objective} of each variant, %')
    table.add_column('%', justify='right')
    for name in dict.fromkeys(row.variant for row in rows):
        row = best_row([row for row in rows if row.variant == name], objective)
        values = (name, f'{row.assembly.score_thr:g}', iou_text(row.assembly.iou_thr))
        table.add_row(*values, percent(getattr(row, objective)))
    return table


def ablation_table(rows, objective):
    table = Table('score', title=f"system B's ablation: {objective} by its own rules, %")
    for iou in SYSTEM_B_IOUS:
        table.add_column(f'IoU {iou_text(iou)}', justify='right')
    values = table_of(rows, 'system_b', SYSTEM_B_SCORES, SYSTEM_B_IOUS, objective)
    for score, column in zip(SYSTEM_B_SCORES, values.T, strict=True):
        table.add_row(f'{score:g}', *map(percent, column))
    return table


def judgement_table(judged, title):
    table = Table('setting', title=f'{title}, % (95 % bootstrap interval)')
    table.add_column('figure', justify='right')
    table.add_column('chosen ahead by', justify='right')
    for j in judged:
        ahead = f'{100 * j.ahead:+.2f} ({100 * j.ahead_low:+.2f} to {100 * j.ahead_high:+.2f})'
        figure = f'{percent(j.value)} ({percent(j.low)} to {percent(j.high)})'
        table.add_row(j.name, figure, '' if j.name == 'chosen' else ahead)
    return table


def confidence_table(coverages, source):
    table = Table(
        'accuracy of those kept',
        title=f'numbers of {source} above a confidence, by the chosen setting',
        caption='for --min-confidence of tools/pseudo_label.py',
    )
    table.add_column('confidence', justify='right')
    table.add_column('kept', justify='right')
    for accuracy, confidence, coverage in coverages:
        reached = f'{confidence:.4f}' if coverage else 'never'
        table.add_row(f'{100 * accuracy:g} %', reached, f'{percent(coverage)} %')
    return table


def iou_text(iou):
    return 'none' if iou is None else f'{iou:g}'


def snippet(best, path):
    lines = [
        f'# variant "{best.variant}". In a config, in place of the NumberMetric it has:',
        config_line(best.assembly) + ',',
        f'# or for one run, after {tool_command("test")} CONFIG CHECKPOINT:',
        config_options(path),
    ]
    return '\n'.join(lines) + '\n'


def sweep_csv(rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(('variant', 'score_thr', 'iou_thr', *OBJECTIVES))
    for row in rows:
        values = (getattr(row, name) for name in OBJECTIVES)
        setting = (row.variant, row.assembly.score_thr, iou_text(row.assembly.iou_thr))
        writer.writerow((*setting, *values))
    return text.getvalue()


def draw(path, rows, best, args):
    at = (best.assembly.score_thr, best.assembly.iou_thr)
    ablation = [(score, iou) for score in SYSTEM_B_SCORES for iou in SYSTEM_B_IOUS]
    own = (PRESETS['system_b'].score_thr, PRESETS['system_b'].iou_thr)
    maps = []
    if best.variant != 'system_b':
        table = table_of(rows, best.variant, args.scores, args.ious, args.objective)
        maps.append(HeatMap(f'rules "{best.variant}" (framed: the chosen setting)', table, at))
    table = table_of(rows, 'system_b', args.scores, args.ious, args.objective)
    title = "system B's rules (framed: its setting; dotted: its ablation)"
    maps.append(HeatMap(title, table, own, ablation))
    save_sweep_figure(path, maps, args.scores, args.ious, args.objective)


if __name__ == '__main__':
    run_tool(main)
