"""How loosely a data set's boxes lie around its digits: fit it, and apply it to predictions.

  python tools/analysis_tools/box_style.py fit pred.json --ann real.json --out style.json
  python tools/prepare_data.py synthetic --box-style style.json
  python tools/analysis_tools/box_style.py apply pred.json --style style.json --out styled.json

fit compares the detections of a model that was trained on tight boxes with the true boxes of the
same images; a few dozen are enough. apply gives detections that style: score them with
tools/evaluate.py before and after.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mmdet_digits.boxes import corners, ious
from mmdet_digits.cli import add_ignore_classes, fraction, run_tool
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.assembly_files import assembly_beside, write_assembly_beside
from mmdet_digits.evaluation.box_pairs import pair_boxes
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.files import check_outputs, write_file
from mmdet_digits.synthetic.box_style import (
    fit_box_style,
    read_box_style,
    write_box_style,
)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    fit = commands.add_parser('fit', help='find the style of real boxes')
    fit.add_argument('pred', help='pred.json of a model trained on tight boxes')
    fit.add_argument('--ann', required=True, help='COCO file with the true boxes')
    add_ignore_classes(fit)
    fit.add_argument('--out', type=Path, required=True, metavar='FILE', help='style as JSON')
    fit.add_argument('--score-thr', type=fraction, default=0.5, help='default: 0.5')
    fit.add_argument('--iou-thr', type=fraction, default=0.5, help='of a pair (default: 0.5)')
    use = commands.add_parser('apply', help='give detections the style')
    use.add_argument('pred', help='pred.json')
    use.add_argument('--style', required=True, metavar='FILE', help='what fit wrote')
    use.add_argument('--out', type=Path, required=True, metavar='FILE', help='pred.json to write')
    use.add_argument('--remove', action='store_true', help='take the style away instead')
    for command in (fit, use):
        command.add_argument('--overwrite', action='store_true', help='replace an earlier FILE')
        command.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    inputs = [args.pred, args.ann if args.command == 'fit' else args.style]
    check_outputs([args.out], args.overwrite, inputs=inputs)
    (run_fit if args.command == 'fit' else run_apply)(args)
    print(f'written to {args.out}')


def run_fit(args):
    annotations = read_annotations(args.ann, args.ignore_classes)
    predictions = read_predictions(args.pred)
    tight, true = pair_boxes(predictions, annotations, args.score_thr)
    style, fits = fit_box_style(tight, true, args.iou_thr)
    print(f'{fits.sum():,} of {len(true):,} pairs of a detection and a true box agree')
    Console(markup=False).print(fit_table(tight[fits], style.apply(tight[fits]), true[fits]))
    print(style)
    origin = dict(pred=args.pred, ann=args.ann, pairs=int(fits.sum()))
    write_box_style(args.out, style, origin)


def run_apply(args):
    style = read_box_style(args.style)
    predictions = read_predictions(args.pred)
    change = style.remove if args.remove else style.apply
    styled = replace(predictions, bboxes=change(predictions.bboxes))
    write_file(args.out, json.dumps(styled.records()) + '\n')
    if assembly := assembly_beside(args.pred):
        write_assembly_beside(args.out, assembly)


def fit_table(tight, styled, true):
    """How far the edges lie from the true ones, and the overlap, before and after."""
    table = Table('median over the pairs', 'before', 'after')
    boxes = [corners(bboxes) for bboxes in (tight, styled, true)]
    for column, edge in enumerate(('left', 'top', 'right', 'bottom')):
        off = [np.median(found[:, column] - boxes[2][:, column]) for found in boxes[:2]]
        table.add_row(f'{edge} edge, px off', *(f'{value:+.2f}' for value in off))
    table.add_row('IoU', *(f'{np.median(ious(found, boxes[2])):.3f}' for found in boxes[:2]))
    return table


if __name__ == '__main__':
    run_tool(main)
