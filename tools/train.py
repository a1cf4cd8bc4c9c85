"""Train a detector: python tools/train.py configs/digits/frcnn_fp32.py."""

from urllib.error import URLError

from mmdet_digits.cli import (
    build_runner,
    config_parser,
    load_config,
    run_tool,
    weights_unavailable,
)


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
        help='go on from this checkpoint, or from the latest one in the work dir if none is named',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = load_config(args, splits=('train', 'val'))
    if args.amp:
        cfg.optim_wrapper.update(type='PortableAmpOptimWrapper', loss_scale='dynamic')
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume

    runner = build_runner(cfg)
    try:
        runner.train()
    except URLError as error:
        raise weights_unavailable(cfg, error) from error


if __name__ == '__main__':
    run_tool(main)
