"""Convert YOLO's text files to COCO files.

python tools/dataset_converters/yolo2coco.py FOLDER -o data/digits              # all splits
python tools/dataset_converters/yolo2coco.py images/train labels/train -o train.json
"""

from pathlib import Path

from mmdet_digits.cli import run_tool
from mmdet_digits.converters.command_line import (
    convert,
    converter_parser,
    image_sizes,
)
from mmdet_digits.converters.image_sizes import ImageSizes
from mmdet_digits.converters.yolo import YoloFolder, find_names, read_names
from mmdet_digits.converters.yolo_splits import YoloSplit, convert_splits, find_splits


def main():
    parser = converter_parser(__doc__, names=True)
    parser.add_argument(
        'images',
        type=Path,
        help='folder of a whole data set (train/images, train/labels, ..., or images/train, '
        'labels/train, ...), which makes --out a folder; or of the images of one split',
    )
    parser.add_argument(
        'labels', type=Path, nargs='?', help='folder of the text files of one split'
    )
    parser.add_argument(
        '--names',
        type=Path,
        metavar='FILE',
        help='class names: data.yaml, or a text file with one per line (default: classes.txt or '
        'data.yaml beside the text files or above them; or class 0 is the digit 0, and so on)',
    )
    args = parser.parse_args()

    def open_records(split: YoloSplit) -> YoloFolder:
        names, origin = (
            (read_names(args.names), f'by {args.names}') if args.names else find_names(split.labels)
        )
        sizes = image_sizes(args, split.images)
        return YoloFolder(split.images, split.labels, names, sizes, origin)

    if args.labels is None:
        convert_splits(args, find_splits(args.images), open_records)
        return
    # The records know their sizes: fractions were turned into pixels with them.
    convert(args, lambda: open_records(YoloSplit(args.images, args.labels)), ImageSizes())


if __name__ == '__main__':
    run_tool(main)
