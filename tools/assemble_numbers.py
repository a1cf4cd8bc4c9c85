"""Make the numbers: python tools/assemble_numbers.py pred.json --ann test.json -o pred.csv."""

import argparse
from pathlib import Path

from mmdet_digits.assembly.number_assembly import NO_NUMBER, assemble_numbers
from mmdet_digits.cli import run_tool
from mmdet_digits.deploy.image_list import read_ids
from mmdet_digits.evaluation.annotations import read_image_ids
from mmdet_digits.evaluation.assembly_files import choose_assembly
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.evaluation.submission import numbers_csv, write_submission
from mmdet_digits.files import check_outputs, write_file


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pred', help='pred.json, or the .pkl of tools/test.py --out')
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument('--images', help='folder of all images, or numbers.csv of predict.py')
    images.add_argument('--ann', help='COCO file that lists all images')
    parser.add_argument('-o', '--out', type=Path, metavar='CSV', help='write pred.csv here')
    parser.add_argument('--submission', type=Path, metavar='ZIP', help='write both files in a zip')
    parser.add_argument(
        '--assembly', metavar='PRESET|FILE.json', help='default: that of the predictions'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    args = parser.parse_args()
    if not args.out and not args.submission:
        parser.error('say what to write: -o pred.csv, --submission out.zip, or both')
    return args


def main():
    args = parse_args()
    inputs = (args.pred, args.images, args.ann, args.assembly)
    check_outputs(filter(None, [args.out, args.submission]), args.overwrite, inputs=inputs)
    assembly, which = choose_assembly(args.assembly, args.pred)
    image_ids = read_ids(args.images) if args.images else read_image_ids(args.ann)
    predictions = read_predictions(args.pred)
    detections = predictions.to_detections(image_ids, args.images or args.ann)
    numbers = assemble_numbers(detections, assembly).strings
    if args.submission:
        write_submission(args.submission, predictions, image_ids, numbers)
    if args.out:
        write_file(args.out, numbers_csv(image_ids, numbers))
    print(
        f'{len(image_ids):,} images, {(numbers != NO_NUMBER).sum():,} numbers; number assembly: '
        f'{which}; written to '
        + ', '.join(str(path) for path in (args.out, args.submission) if path)
    )


if __name__ == '__main__':
    run_tool(main)
