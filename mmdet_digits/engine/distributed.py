"""Several processes as one run: how they are told apart and how they are joined."""

import os
from collections.abc import Mapping
from datetime import timedelta

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from torch import nn

from mmdet_digits.errors import InputError
from mmdet_digits.processes import process_rank

VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
}
"""Where a launcher says which of the processes this is, and how many there are."""

STARTERS = {
    'pytorch': 'tools/dist_train.sh or tools/dist_test.sh',
    'slurm': 'srun (docs/distributed.md)',
    'mpi': 'mpirun',
}


def enter_run(launcher: str) -> None:
    """Find out which process of a run this is, before they are joined.

    Whatever the launcher, RANK and WORLD_SIZE say it afterwards. A process that is not the first
    logs errors only, until its runner has a logger, for the others log the same.

    Args:
        launcher: ``'none'`` or one of ``VARIABLES``.

    Raises:
        InputError: the process was not started so.
    """
    check_launcher(launcher, os.environ, torch.cuda.device_count())
    for ours, theirs in zip(VARIABLES['pytorch'], VARIABLES.get(launcher, ()), strict=False):
        os.environ[ours] = os.environ[theirs]
    if process_rank():
        MMLogger.get_current_instance().setLevel('ERROR')


def check_launcher(launcher: str, environment: Mapping[str, str], num_gpus: int) -> None:
    """Check that a process was started as the command line says.

    Args:
        launcher: ``'none'`` or one of ``VARIABLES``.
        environment: variables of the process.
        num_gpus: GPUs of this machine, 0 for a run on its processors.

    Raises:
        InputError: it was not, or this machine has fewer GPUs than processes.
    """
    if launcher == 'none':
        processes = int(environment.get('WORLD_SIZE', 1))
        if processes > 1:
            raise InputError(
                f'{processes} processes were started, each of which would do the whole run.',
                f'WORLD_SIZE={processes} and --launcher none',
                'processes that share the work',
                'add --launcher pytorch, or use tools/dist_train.sh',
            )
    elif not set(VARIABLES[launcher]) <= set(environment):
        raise InputError(
            f'--launcher {launcher}: this process was started alone.',
            f'no {" and no ".join(VARIABLES[launcher])} in the environment',
            f'processes that {STARTERS[launcher]} starts',
            f'start it by {STARTERS[launcher]}, or leave --launcher out',
        )
    elif not num_gpus and launcher != 'pytorch':
        raise InputError(
            f'--launcher {launcher} needs a GPU for each process.',
            'no GPU',
            'GPUs, or processes of torchrun',
            'tools/dist_train.sh, which also runs without GPUs',
        )
    processes = int(environment.get('LOCAL_WORLD_SIZE', 1))
    if launcher != 'none' and 0 < num_gpus < processes:
        raise InputError(
            'More processes than GPUs on this machine.',
            f'{processes} processes, {num_gpus} GPUs',
            'a GPU for each process',
            f'start {num_gpus}, or CUDA_VISIBLE_DEVICES=-1 to run on the processors',
        )


def join_processes(cfg: Config) -> None:
    """Join the processes of a run without GPUs; with GPUs, MMEngine does it.

    MMEngine gives each process a GPU and lets them talk through NCCL. Without GPUs they talk
    through gloo, and the model's wrapper is told that it has no device of its own.

    Args:
        cfg: changed in place.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available() or torch.distributed.is_initialized():
        return
    settings = cfg.get('env_cfg', {}).get('dist_cfg', {})
    timeout = timedelta(seconds=settings.get('timeout', 1800))
    torch.distributed.init_process_group('gloo', timeout=timeout)
    cfg.setdefault('model_wrapper_cfg', dict(type='MMDistributedDataParallel'))
    cfg.model_wrapper_cfg.setdefault('broadcast_buffers', False)  # as MMEngine's default has it
    cfg.model_wrapper_cfg.device_ids = None


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, without what distributes it."""
    return model.module if is_model_wrapper(model) else model
