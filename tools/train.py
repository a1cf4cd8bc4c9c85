"""Train a detector: python tools/train.py configs/digits/frcnn_fp32.py."""

from mmdet_digits.cli import config_parser, run_tool


def parse_args():
    parser = config_parser(__doc__)
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the total batch size, from auto_scale_lr of the config',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint, or from the last whole one of the work dir',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    from mmdet_digits.launching import train

    train(args)


if __name__ == '__main__':
    run_tool(main)
