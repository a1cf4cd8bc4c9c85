"""Convert Pascal VOC's XML files to a COCO file.

python tools/dataset_converters/voc2coco.py Annotations --images JPEGImages -o train.json
"""

from pathlib import Path

from mmdet_digits.cli import run_tool
from mmdet_digits.converters.command_line import convert, converter_parser
from mmdet_digits.converters.voc import VocFolder


def main():
    parser = converter_parser(__doc__, one_based=True, names=True)
    parser.add_argument('annotations', type=Path, help='folder of the XML files')
    parser.add_argument(
        '--images',
        type=Path,
        metavar='DIR',
        help='folder of the images, to check their sizes (default: believe the XML)',
    )
    parser.add_argument(
        '--exclusive-end',
        action='store_true',
        help='xmax and ymax are the first pixels after the box (default: the last of the box, as '
        'in VOC); LabelImg and others that count from 0 need this and --keep-one-based',
    )
    args = parser.parse_args()
    convert(args, lambda: VocFolder(args.annotations, args.offset, not args.exclusive_end))


if __name__ == '__main__':
    run_tool(main)
