import pytest

from mmdet_digits.errors import InputError
from mmdet_digits.launch import torchrun_arguments


@pytest.mark.parametrize(
    ('environment', 'expected'),
    [
        ({}, '--standalone --nproc-per-node 2'),
        ({'NNODES': '1', 'PORT': '1'}, '--standalone --nproc-per-node 2'),
        (
            {'NNODES': '3', 'NODE_RANK': '1', 'MASTER_ADDR': 'first'},
            '--nnodes 3 --node-rank 1 --master-addr first --master-port 29500 --nproc-per-node 2',
        ),
        (
            {'NNODES': '2', 'NODE_RANK': '0', 'MASTER_ADDR': 'me', 'PORT': '7'},
            '--nnodes 2 --node-rank 0 --master-addr me --master-port 7 --nproc-per-node 2',
        ),
    ],
)
def test_machines_and_processes(environment, expected):
    assert torchrun_arguments(2, environment) == expected.split()


def test_a_machine_that_does_not_know_the_others():
    with pytest.raises(InputError, match='no NODE_RANK and no MASTER_ADDR'):
        torchrun_arguments(2, {'NNODES': '2'})
