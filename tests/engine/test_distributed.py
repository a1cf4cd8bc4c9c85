"""How processes find out that they are several; what they do then: tests/tools/."""

import os
import socket

import pytest
import torch
from mmengine.runner import Runner
from tiny_runs import tiny_cfg

from mmdet_digits.engine.distributed import VARIABLES, check_launcher, enter_run, join_processes
from mmdet_digits.errors import InputError
from mmdet_digits.processes import lost_process, process_rank

TORCHRUN = {'RANK': '1', 'WORLD_SIZE': '2', 'LOCAL_WORLD_SIZE': '2'}
SRUN = {'SLURM_PROCID': '3', 'SLURM_NTASKS': '4'}


@pytest.mark.parametrize(
    ('launcher', 'environment', 'num_gpus'),
    [
        ('none', {}, 0),
        ('none', {'WORLD_SIZE': '1'}, 0),
        ('none', SRUN, 1),  # a script of sbatch that runs one process
        ('pytorch', TORCHRUN, 0),
        ('pytorch', TORCHRUN, 2),
        ('slurm', SRUN, 1),
    ],
)
def test_a_process_started_as_it_should_be(launcher, environment, num_gpus):
    check_launcher(launcher, environment, num_gpus)


@pytest.mark.parametrize(
    ('launcher', 'environment', 'num_gpus', 'said'),
    [
        ('none', TORCHRUN, 0, 'each of which would do the whole run'),
        ('pytorch', {}, 0, 'no RANK and no WORLD_SIZE'),
        ('slurm', {'RANK': '0', 'WORLD_SIZE': '1'}, 1, 'no SLURM_PROCID'),
        ('slurm', SRUN, 0, 'needs a GPU for each process'),
        ('pytorch', TORCHRUN, 1, '2 processes, 1 GPUs'),
    ],
)
def test_a_process_started_otherwise(launcher, environment, num_gpus, said):
    with pytest.raises(InputError, match=said):
        check_launcher(launcher, environment, num_gpus)


@pytest.fixture
def no_launcher(monkeypatch):
    for name in (*TORCHRUN, *(name for names in VARIABLES.values() for name in names)):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_rank_is_known_before_the_processes_are_joined(no_launcher):
    assert process_rank() == 0
    enter_run('none')
    assert process_rank() == 0
    no_launcher.setattr(torch.cuda, 'device_count', lambda: 4)
    for name, value in SRUN.items():
        no_launcher.setenv(name, value)
    no_launcher.setenv('RANK', '0')
    no_launcher.setenv('WORLD_SIZE', '1')
    enter_run('slurm')
    assert process_rank() == 3 and os.environ['WORLD_SIZE'] == '4'


def test_only_a_lost_connection_within_a_run_is_a_lost_process():
    assert not lost_process(RuntimeError('Connection closed by peer'))


@pytest.fixture
def joined(no_launcher):
    """This process as the only one of a distributed run."""
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    variables = dict(RANK=0, WORLD_SIZE=1, LOCAL_RANK=0, MASTER_ADDR='localhost', MASTER_PORT=port)
    for name, value in variables.items():
        no_launcher.setenv(name, str(value))
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without a GPU')
def test_gradients_that_are_exchanged_are_the_gradients(joined, tmp_path, digits_root, monkeypatch):
    """In any layout of the weights; two processes: tests/tools/test_distributed_runs.py."""
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    weights = []
    for launcher in ('none', 'pytorch'):
        cfg = tiny_cfg(tmp_path / launcher, images=4)
        cfg.launcher = launcher
        cfg.train_cfg.max_epochs, cfg.train_cfg.val_interval = 1, 9
        cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
        join_processes(cfg)
        runner = Runner.from_cfg(cfg)
        assert runner.distributed == (launcher != 'none')
        model = runner.train()
        weights.append(getattr(model, 'module', model).state_dict())
    torch.testing.assert_close(weights[1], weights[0])
