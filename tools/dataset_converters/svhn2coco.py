"""Convert SVHN's digitStruct.mat (MATLAB v7.3 or v5) to a COCO file.

python tools/dataset_converters/svhn2coco.py SVHN/train/digitStruct.mat -o SVHN/train.json
"""

from pathlib import Path

from mmdet_digits.datasets.converters.command_line import (
    KEEP_ONE_BASED,
    convert,
    converter_parser,
    image_sizes,
    run_converter,
)
from mmdet_digits.datasets.converters.svhn import DigitStruct


def main():
    parser = converter_parser(__doc__)
    parser.add_argument('mat', type=Path, metavar='digitStruct.mat')
    parser.add_argument(
        '--images', type=Path, metavar='DIR', help='folder of the images (default: that of the mat)'
    )
    parser.add_argument('--keep-one-based', action='store_true', help=KEEP_ONE_BASED)
    args = parser.parse_args()
    sizes = image_sizes(args, args.images or args.mat.parent)
    convert(args, lambda: DigitStruct(args.mat, offset=0 if args.keep_one_based else 1), sizes)


if __name__ == '__main__':
    run_converter(main)
