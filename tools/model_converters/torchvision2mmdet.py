"""Convert the weights of torchvision's Faster R-CNN to a checkpoint for mmdet."""

import argparse
from pathlib import Path

from mmdet_digits.cli import add_trust_option, positive, run_tool
from mmdet_digits.coco.categories import DIGITS

ARCHS = ('fasterrcnn_resnet50_fpn', 'fasterrcnn_resnet50_fpn_v2')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', type=Path, metavar='IN.pth', help='torchvision weights')
    parser.add_argument('dst', type=Path, metavar='OUT.pth', help='checkpoint to write')
    parser.add_argument('--arch', required=True, choices=ARCHS)
    parser.add_argument(
        '--num-classes',
        type=positive,
        default=len(DIGITS),
        help='classes of the mmdet model, without background (default: %(default)s)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace OUT.pth if it exists')
    add_trust_option(parser)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main() -> None:
    """Convert, and say what was written."""
    args = parse_args()
    from mmdet_digits.checkpoints.reading import trust_checkpoints
    from mmdet_digits.models.torchvision_weights import convert_file

    if args.trust_checkpoint:
        trust_checkpoints()
    checkpoint = convert_file(args.src, args.dst, args.arch, args.num_classes, args.overwrite)
    print(f'{args.dst}: {len(checkpoint["state_dict"])} tensors')


if __name__ == '__main__':
    run_tool(main)
