"""Run a batch whose loss was not finite again: python tools/analysis_tools/replay_batch.py DUMP.

DUMP is the nonfinite_EPOCH_ITERATION.pth of a training. Prints its losses beside those of now and
names the first module whose output is not finite. The model is built from the config in the dump,
which is code: give --config for a dump that is not your own.
"""

import argparse

from mmengine.config import Config
from rich.console import Console

from mmdet_digits.cli import find_config, run_tool

CONTEXT = 3  # sound modules to show before the first bad one
SHOWN = 12


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('dump', help='nonfinite_EPOCH_ITERATION.pth')
    parser.add_argument('--config', help='config of the model (default: the one in the dump)')
    parser.add_argument(
        '--amp',
        action=argparse.BooleanOptionalAction,
        help='in mixed precision or not (default: as it was)',
    )
    parser.add_argument('--device', help='default: a GPU, if there is one')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    import mmdet_digits.register  # noqa: F401  (operators before mmdet)

    # isort: split
    from mmengine.device import get_device
    from mmengine.registry import init_default_scope

    from mmdet_digits.engine.batch_dumps import read_dump
    from mmdet_digits.engine.replay import replay, same_losses
    from mmdet_digits.visualization.replay_tables import loss_table, module_table

    device = args.device or get_device()
    dump = read_dump(args.dump)
    if args.config:
        cfg = Config.fromfile(find_config(args.config))
    else:
        cfg = Config.fromstring(dump['config'], '.py')
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    result = replay(dump, cfg, args.amp, device)

    console = Console(markup=False)
    same = same_losses(dump['losses'], result.losses)
    console.print(loss_table(dump['losses'], result.losses))
    print(
        f'epoch {dump["epoch"]}, iteration {dump["iteration"]}, '
        f'{result.precision or "float32"} on {device}: the same losses bit for bit: '
        f'{"yes" if same else "no"}'
    )
    bad = result.first_bad
    if bad is None:
        print(f'All outputs of the {len(result.runs)} modules that ran are finite.')
        return
    console.print(module_table(result.runs[max(bad - CONTEXT, 0) :][:SHOWN]))
    first = result.runs[bad]
    print(f'The first output that is not finite: {first.name} ({first.kind})')


if __name__ == '__main__':
    run_tool(main)
