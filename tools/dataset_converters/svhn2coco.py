"""Convert SVHN's digitStruct.mat (MATLAB v7.3 or v5) to a COCO file.

python tools/dataset_converters/svhn2coco.py SVHN/train/digitStruct.mat -o SVHN/train.json
"""

from pathlib import Path

from mmdet_digits.cli import run_tool
from mmdet_digits.converters.command_line import convert, converter_parser
from mmdet_digits.converters.svhn import DigitStruct


def main():
    parser = converter_parser(__doc__, one_based=True)
    parser.add_argument('mat', type=Path, metavar='digitStruct.mat')
    parser.add_argument(
        '--images', type=Path, metavar='DIR', help='folder of the images (default: that of the mat)'
    )
    args = parser.parse_args()
    args.images = args.images or args.mat.parent
    convert(args, lambda: DigitStruct(args.mat, args.offset))


if __name__ == '__main__':
    run_tool(main)
