"""Find the largest training batch that fits into a given GPU memory. Needs a CUDA device.

  python tools/analysis_tools/largest_batch.py configs/digits/frcnn_v2_amp.py --memory 8GiB

Trains models of random weights on noise of the config's scale, so that neither data nor pretrained
weights are needed. With --out RUN/largest_batch.json, compare_runs.py shows it beside the run's
other figures.
"""

import argparse
import json

from mmengine.config import DictAction

from mmdet_digits.cli import load_config, run_tool
from mmdet_digits.utils.arguments import positive
from mmdet_digits.utils.files import check_outputs, write_file


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_v2_amp.py')
    parser.add_argument('--memory', required=True, metavar='SIZE', help='e.g. 8GiB or 6500MiB')
    parser.add_argument('--limit', type=positive, default=1024, metavar='N', help='default: 1024')
    parser.add_argument('--out', metavar='FILE.json', help='write the result to this file')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='PATH=VALUE'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier result')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    # what load_config reads beside these
    parser.set_defaults(
        data_root=None, work_dir=None, launcher='none', local_rank=0, trust_checkpoint=False
    )
    return parser.parse_args()


def main():
    args = parse_args()
    import torch

    import mmdet_digits.register  # noqa: F401
    from mmdet_digits.engine.largest_batch import largest_batch, parse_memory, training_scale

    check_outputs(filter(None, [args.out]), args.overwrite, inputs=[args.config])
    memory = parse_memory(args.memory)
    cfg = load_config(args, splits=())
    result = {
        'config': args.config,
        'scale': training_scale(cfg),
        'memory': args.memory,
        'largest_batch': largest_batch(cfg, memory, args.limit),
        'device': torch.cuda.get_device_name(),
        'torch': torch.__version__,
    }
    print('{config} in {memory}: at most {largest_batch} images per batch'.format(**result))
    if args.out:
        write_file(args.out, json.dumps(result, indent=2) + '\n')
        print(f'written to {args.out}')


if __name__ == '__main__':
    run_tool(main)
