"""What each switch of execution gains, alone and together with the others.

python benchmarks/switches.py frcnn_tiny --batch 8

Every variant is the same config, one in full precision, with the same random weights on the same
images, in a process of its own; they take turns. The loss of the first step tells whether they
compute the same.
"""

from dataclasses import dataclass, field, replace
from statistics import median

from common import print_table, spread
from contenders import CUDA, Contender, Result, compare, work_of, work_parser

from mmdet_digits.cli import run_tool


@dataclass(frozen=True)
class Switch:
    """A change of a config.

    Args:
        hook: arguments of ``ExecutionHook``.
        options: as ``--cfg-options``.
    """

    hook: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)


ALL_OFF = Switch(
    dict(channels_last=False, keep_freed_memory=False), {'optim_wrapper.optimizer.fused': False}
)
SWITCHES = {
    'channels_last': Switch(hook=dict(channels_last=True)),
    'keep_freed_memory': Switch(hook=dict(keep_freed_memory=True)),
    'fused optimizer': Switch(options={'optim_wrapper.optimizer.fused': True}),
    'mixed precision': Switch(
        options={'optim_wrapper.type': 'PortableAmpOptimWrapper', 'test_cfg.fp16': True}
    ),
}
FOR_CUDA = {
    'tf32': Switch(hook=dict(tf32=True)),
    'cudnn_benchmark': Switch(options={'env_cfg.cudnn_benchmark': True}),
}


def main():
    """Print the table of one config."""
    parser = work_parser(__doc__, repeats=9)
    parser.add_argument('config', help='name or path of a config')
    args = parser.parse_args()
    switches = SWITCHES | (FOR_CUDA if CUDA else {})
    variants = {
        'none': [],
        **{name: [switch] for name, switch in switches.items()},
        'all together': list(switches.values()),
    }
    contenders = [
        Contender(name, args.config, options_of(ALL_OFF, *turned))
        for name, turned in variants.items()
    ]
    with work_of(args, training=True) as work:
        trained = compare(contenders, work)
        predicted = compare(contenders, replace(work, training=False))
    report(trained, predicted)


def options_of(*switches: Switch) -> dict:
    """The options that turn several switches, the later ones with precedence."""
    hook, options = dict(type='ExecutionHook'), {}
    for switch in switches:
        hook |= switch.hook
        options |= switch.options
    return {'custom_hooks': [hook], **options}


def report(trained: dict[str, Result], predicted: dict[str, Result]) -> None:
    """Print what each variant reached and its gain over the one without any switch."""
    train_base, predict_base = (median(results['none'].rates) for results in (trained, predicted))
    rows = [
        [
            name,
            spread(training.rates),
            f'{median(training.rates) / train_base:.2f}',
            f'{training.loss:.4f}',
            '?' if training.memory is None else f'{training.memory / 1024:.2f}',
            spread(predicted[name].rates),
            f'{median(predicted[name].rates) / predict_base:.2f}',
        ]
        for name, training in trained.items()
    ]
    of_training = ['training, images/s', 'gain', 'first loss', 'peak memory, GiB']
    print_table(['switch', *of_training, 'prediction, images/s', 'gain'], rows)


if __name__ == '__main__':
    run_tool(main)
