"""Write the weights of a checkpoint to a .safetensors file.

test.py, predict.py and load_from take it like a checkpoint. With the weights go the names of the
classes, the text of the config and the versions of the packages. The optimizer and all else that a
training needs to go on is left out; of EMA weights the averaged ones are kept.
"""

import argparse
from pathlib import Path

from mmdet_digits.cli import add_trust_option, run_tool

DTYPES = ('float32', 'float16', 'bfloat16')


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', type=Path, metavar='IN.pth', help='checkpoint')
    parser.add_argument('dst', type=Path, metavar='OUT.safetensors', help='file to write')
    parser.add_argument(
        '--dtype', choices=DTYPES, default='float32', help='of the weights (default: %(default)s)'
    )
    parser.add_argument(
        '--drop',
        metavar='REGEX',
        action='append',
        default=[],
        help='leave out the weights whose name begins like this, and the classes, to start a '
        'training for other classes; more than once for more',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace OUT.safetensors if it exists'
    )
    add_trust_option(parser)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmdet_digits.checkpoints.exporting import export_weights
    from mmdet_digits.checkpoints.reading import trust_checkpoints

    if args.trust_checkpoint:
        trust_checkpoints()
    weights = export_weights(args.src, args.dst, args.dtype, args.drop, args.overwrite)
    print(f'{args.dst}: {len(weights)} tensors, {args.dst.stat().st_size:,} bytes')


if __name__ == '__main__':
    run_tool(main)
