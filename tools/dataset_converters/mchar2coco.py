"""Convert the annotations of Tianchi's street-view character recognition to a COCO file.

python tools/dataset_converters/mchar2coco.py mchar_train.json --images mchar_train -o train.json
"""

from pathlib import Path

from mmdet_digits.cli import run_tool
from mmdet_digits.converters.command_line import convert, converter_parser
from mmdet_digits.converters.mchar import McharFile


def main():
    parser = converter_parser(__doc__, one_based=True)
    parser.add_argument('json', type=Path, metavar='mchar_train.json')
    parser.add_argument('--images', type=Path, metavar='DIR', help='folder of the images')
    args = parser.parse_args()
    convert(args, lambda: McharFile(args.json, args.offset))


if __name__ == '__main__':
    run_tool(main)
