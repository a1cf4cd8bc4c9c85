"""Start a tool in several processes: python -m mmdet_digits.launch PROCESSES TOOL [arguments].

torchrun, without its traceback when a process fails: that one has said why itself.
"""

import logging
import os
import signal
import sys
from argparse import REMAINDER, ArgumentParser
from collections.abc import Mapping

from mmdet_digits.cli import positive, run_tool
from mmdet_digits.errors import InputError


def torchrun_arguments(processes: int, environment: Mapping[str, str]) -> list[str]:
    """The arguments of torchrun that say which processes there are.

    Args:
        processes: how many on this machine.
        environment: ``NNODES``, the number of machines, 1 if it is missing; for several also
            ``NODE_RANK``, which this is, from 0, ``MASTER_ADDR``, the name of the first, and
            ``PORT``, a free port of the first, 29500 if it is missing.

    Raises:
        InputError: there are several machines, and one of the two is missing.
    """
    here = ['--nproc-per-node', str(processes)]
    machines = environment.get('NNODES', '1')
    if machines == '1':
        return ['--standalone', *here]
    missing = [name for name in ('NODE_RANK', 'MASTER_ADDR') if name not in environment]
    if missing:
        raise InputError(
            f'NNODES={machines} machines do not find each other.',
            f'no {" and no ".join(missing)} in the environment',
            'which of them this is, from 0, and the name of the first',
            f'NNODES={machines} NODE_RANK=0 MASTER_ADDR=NAME tools/dist_train.sh ...',
        )
    return [
        *('--nnodes', machines, '--node-rank', environment['NODE_RANK']),
        *('--master-addr', environment['MASTER_ADDR']),
        *('--master-port', environment.get('PORT', '29500'), *here),
    ]


def main() -> None:
    """Start the processes and wait for them; ends with the exit status of the first to fail."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('processes', type=positive, help='how many on this machine')
    parser.add_argument('tool', help='the script that each of them runs')
    parser.add_argument('arguments', nargs=REMAINDER, help='its arguments')
    args = parser.parse_args()
    import joblib
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ.setdefault(name, str(max(1, joblib.cpu_count() // args.processes)))
    logging.getLogger('torch.distributed.elastic').setLevel('CRITICAL')
    how = torchrun_arguments(args.processes, os.environ)
    try:
        run(parse_args([*how, args.tool, *args.arguments, '--launcher', 'pytorch']))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            print(f'error: process {rank} was ended by {name}.', file=sys.stderr)
        sys.exit(abs(failure.exitcode))
    except SignalException as stop:
        sys.exit(128 + stop.sigval)


if __name__ == '__main__':
    run_tool(main)
