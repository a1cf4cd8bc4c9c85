import pytest
import torch

from mmdet_digits.checks import machine
from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.machine import compare, describe_device


@pytest.mark.parametrize(
    'check', ['check_operators', 'check_nms', 'check_roi_align', 'check_coco_eval', 'check_device']
)
def test_what_is_installed_computes_what_it_should(check):
    assert getattr(machine, check)().status is Status.OK


def test_another_value_fails():
    check = compare('NMS', [[0]], [[1]], 'fine')
    assert (check.status, check.found, check.expected) == (Status.FAIL, '[[0]]', '[[1]]')
    assert compare('NMS', [[1]], [[1]], 'fine').status is Status.OK


def test_a_wrong_nms_is_noticed(monkeypatch):
    monkeypatch.setattr(torch.ops.torchvision, 'nms', lambda boxes, *_: torch.arange(len(boxes)))
    assert machine.check_nms().status is Status.FAIL


@pytest.mark.parametrize(
    ('cuda', 'gpus', 'driver', 'said', 'status', 'shown'),
    [
        ('13.0', ['H200, 139 GiB'], 'H200, 580.1', '', Status.OK, 'H200, 139 GiB'),
        ('13.0', [], '', '', Status.OK, 'CPU, 4 threads, no GPU (torch built for CUDA 13.0)'),
        (None, [], '', '', Status.OK, 'torch built without CUDA'),
        ('13.0', [], 'T4, 450.8', 'driver is too old', Status.WARN, 'torch: driver is too old'),
        (None, [], 'T4, 450.8', '', Status.WARN, 'nvidia-smi: T4, 450.8; torch built without CUDA'),
    ],
)
def test_device(cuda, gpus, driver, said, status, shown):
    check = describe_device(cuda, gpus, driver, said, threads=4)
    assert check.status is status
    assert shown in check.found
