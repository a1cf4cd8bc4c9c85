"""Train a detector: python tools/train.py configs/digits/frcnn_fp32.py."""

import os
from urllib.error import URLError

from mmdet_digits.cli import (
    build_runner,
    config_parser,
    hold_work_dir,
    load_config,
    resume_from,
    run_tool,
    stop_on_failures,
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
        help='go on from this checkpoint, or from the last whole one of the work dir',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    from mmdet_digits.checks.config import scale_learning_rate

    cfg = load_config(args, splits=('train', 'val'))
    if args.amp:
        cfg.optim_wrapper.update(type='PortableAmpOptimWrapper', loss_scale='dynamic')
    if args.auto_scale_lr:
        cfg.merge_from_dict({'auto_scale_lr.enable': True})
    scale_learning_rate(cfg, int(os.environ.get('WORLD_SIZE', 1)))
    replan = False
    if args.resume:
        replan = resume_from(cfg, None if args.resume == 'auto' else args.resume)
    stop_on_failures(cfg, ('train', 'val'), args.no_preflight)
    with hold_work_dir(cfg):
        train(cfg, replan)


def train(cfg, replan):
    from mmdet_digits.engine.hooks.resumed_schedule_hook import ResumedScheduleHook
    from mmdet_digits.engine.surviving import surviving

    runner = build_runner(cfg)
    if cfg.get('resume'):
        runner.register_hook(ResumedScheduleHook(replan))
    try:
        with surviving(runner):
            runner.train()
    except URLError as error:
        raise weights_unavailable(cfg, error) from error


if __name__ == '__main__':
    run_tool(main)
