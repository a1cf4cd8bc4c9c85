"""Show what goes wrong when numbers are read.

  python tools/analysis_tools/number_errors.py pred.json --ann valid.json --images valid/ --out DIR

Writes DIR/confusion.png, DIR/gallery.png and DIR/errors.html, a page that needs no other file.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmdet_digits.assembly.digit_confusion import NO_DIGIT, most_confused
from mmdet_digits.assembly.true_numbers import GT_ORDERS
from mmdet_digits.cli import add_ignore_classes, fraction, natural, run_tool
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.assembly_files import choose_assembly
from mmdet_digits.evaluation.number_errors import find_errors
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.files import check_outputs, write_file
from mmdet_digits.visualization.confusion_figure import save_confusion_figure
from mmdet_digits.visualization.error_report import error_page, make_tiles, save_gallery


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pred', help='pred.json, or the .pkl of tools/test.py --out')
    parser.add_argument('--ann', required=True, help='COCO file with the true boxes')
    parser.add_argument('--images', required=True, help='folder of its images')
    parser.add_argument('--out', type=Path, required=True, help='folder for the outputs')
    parser.add_argument('--worst', type=natural, default=30, metavar='N', help='default: 30 images')
    parser.add_argument(
        '--assembly', metavar='PRESET|FILE.json', help='default: that of the predictions'
    )
    add_ignore_classes(parser)
    parser.add_argument('--gt-order', choices=GT_ORDERS, default='left', help='default: left')
    parser.add_argument(
        '--score-thr', type=fraction, default=0.6, help='of the confusion matrix (default: 0.6)'
    )
    parser.add_argument(
        '--iou-thr', type=fraction, default=0.5, help='of the confusion matrix (default: 0.5)'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    names = ('confusion.png', 'gallery.png', 'errors.html')
    confusion, gallery, page = (args.out / name for name in names)
    inputs = (args.pred, args.ann, args.assembly)
    check_outputs([confusion, gallery, page], args.overwrite, inputs=inputs)
    assembly, which = choose_assembly(args.assembly, args.pred)
    annotations = read_annotations(args.ann, args.ignore_classes)
    errors = find_errors(
        read_predictions(args.pred),
        annotations,
        assembly,
        args.gt_order,
        args.score_thr,
        args.iou_thr,
    )
    tiles = make_tiles(errors, annotations, args.images, args.worst)
    rule = f'score >= {args.score_thr}, IoU >= {args.iou_thr}'
    save_confusion_figure(confusion, errors.confusion, f'{args.pred} on {args.ann}, {rule}')
    if tiles:
        save_gallery(gallery, tiles)
    facts = {
        'predictions': args.pred,
        'annotations': args.ann,
        'number assembly': which,
        'confusion matrix': rule,
    }
    write_file(page, error_page(errors, tiles, facts))

    right = (errors.distances == 0).sum()
    counts = errors.confusion
    print(
        f'{right:,} of {len(errors.truth):,} numbers right; at {rule} '
        f'{counts[:NO_DIGIT].trace():,} of {counts[:NO_DIGIT].sum():,} digits right, '
        f'{counts[:NO_DIGIT, NO_DIGIT].sum():,} missed, {counts[NO_DIGIT].sum():,} extra\n'
        f'number assembly: {which}'
    )
    Console(markup=False).print(pairs_table(counts))
    print(f'written to {args.out}')


def pairs_table(counts):
    table = Table('true', 'read as', title='most confused')
    table.add_column('count', justify='right')
    table.add_column('% of the true digit', justify='right')
    for pair in most_confused(counts):
        table.add_row(str(pair.true), str(pair.read), str(pair.count), f'{100 * pair.rate:.1f}')
    return table


if __name__ == '__main__':
    run_tool(main)
