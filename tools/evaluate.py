"""Score saved detections without a model: python tools/evaluate.py pred.json --ann valid.json."""

import argparse
import json
from pathlib import Path

from rich.console import Console

from mmdet_digits.assembly.true_numbers import GT_ORDERS
from mmdet_digits.cli import add_ignore_classes, run_tool
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.assembly_files import choose_assembly
from mmdet_digits.evaluation.offline import evaluate_predictions
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.files import check_outputs, write_file
from mmdet_digits.visualization.metrics_table import metrics_table


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pred', help='pred.json, or the .pkl of tools/test.py --out')
    parser.add_argument('--ann', required=True, help='COCO file with the true boxes')
    parser.add_argument(
        '--assembly', metavar='PRESET|FILE.json', help='default: that of the predictions'
    )
    add_ignore_classes(parser)
    parser.add_argument('--gt-order', choices=GT_ORDERS, default='left', help='default: left')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures here')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier FILE')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    if args.json:
        check_outputs([args.json], args.overwrite, inputs=[args.pred, args.ann, args.assembly])
    assembly, which = choose_assembly(args.assembly, args.pred)
    metrics = evaluate_predictions(
        read_predictions(args.pred),
        read_annotations(args.ann, args.ignore_classes),
        assembly,
        args.gt_order,
    )
    print(f'{args.pred} on {args.ann}, number assembly: {which}')
    Console(markup=False).print(metrics_table(metrics))
    if args.json:
        sources = dict(pred=args.pred, ann_file=args.ann, assembly=which)
        write_file(args.json, json.dumps({**sources, **metrics}, indent=2) + '\n')
        print(f'written to {args.json}')


if __name__ == '__main__':
    run_tool(main)
