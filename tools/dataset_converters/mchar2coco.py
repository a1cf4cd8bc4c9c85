"""Convert the annotations of Tianchi's street-view character recognition to a COCO file.

python tools/dataset_converters/mchar2coco.py mchar_train.json --images mchar_train -o train.json
"""

from pathlib import Path

from mmdet_digits.datasets.converters.command_line import (
    KEEP_ONE_BASED,
    convert,
    converter_parser,
    image_sizes,
    run_converter,
)
from mmdet_digits.datasets.converters.mchar import McharFile


def main():
    parser = converter_parser(__doc__)
    parser.add_argument('json', type=Path, metavar='mchar_train.json')
    parser.add_argument('--images', type=Path, metavar='DIR', help='folder of the images')
    parser.add_argument('--keep-one-based', action='store_true', help=KEEP_ONE_BASED)
    args = parser.parse_args()
    sizes = image_sizes(args, args.images)
    convert(args, lambda: McharFile(args.json, offset=0 if args.keep_one_based else 1), sizes)


if __name__ == '__main__':
    run_converter(main)
