"""Convert YOLO's text files to a COCO file.

python tools/dataset_converters/yolo2coco.py images/train labels/train -o train.json
"""

from pathlib import Path

from mmdet_digits.categories import DIGITS
from mmdet_digits.datasets.converters.command_line import (
    convert,
    converter_parser,
    image_sizes,
    run_converter,
)
from mmdet_digits.datasets.converters.image_sizes import ImageSizes
from mmdet_digits.datasets.converters.yolo import YoloFolder, read_names


def main():
    parser = converter_parser(__doc__)
    parser.add_argument('images', type=Path, help='folder of the images')
    parser.add_argument('labels', type=Path, help='folder of the text files')
    parser.add_argument(
        '--names',
        type=Path,
        metavar='FILE',
        help='class names: data.yaml, or a text file with one per line (default: class 0 is the '
        'digit 0, and so on)',
    )
    args = parser.parse_args()
    sizes = image_sizes(args, args.images)
    names = read_names(args.names) if args.names else DIGITS
    # The records know their sizes: fractions were turned into pixels with them.
    convert(args, lambda: YoloFolder(args.images, args.labels, names, sizes), ImageSizes())


if __name__ == '__main__':
    run_converter(main)
