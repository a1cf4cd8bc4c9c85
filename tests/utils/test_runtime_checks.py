import pytest
import torch

from mmdet_digits.utils import runtime_checks
from mmdet_digits.utils.amp_check import check_amp, score_difference
from mmdet_digits.utils.checks import Status
from mmdet_digits.utils.runtime_checks import compare, describe_device


@pytest.mark.parametrize(
    'check', ['check_operators', 'check_nms', 'check_roi_align', 'check_coco_eval', 'check_device']
)
def test_what_is_installed_computes_what_it_should(check):
    assert getattr(runtime_checks, check)().status is Status.OK


def test_another_value_fails():
    check = compare('NMS', [[0]], [[1]], 'fine')
    assert (check.status, check.found, check.expected) == (Status.FAIL, '[[0]]', '[[1]]')
    assert compare('NMS', [[1]], [[1]], 'fine').status is Status.OK


def test_a_wrong_nms_is_noticed(monkeypatch):
    monkeypatch.setattr(torch.ops.torchvision, 'nms', lambda boxes, *_: torch.arange(len(boxes)))
    assert runtime_checks.check_nms().status is Status.FAIL


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


def test_precisions_agree(cfg):
    check = check_amp(cfg)
    assert check.status is Status.OK
    assert 'bfloat16 on cpu' in check.found or 'float16 on cuda' in check.found


def test_autocast_to_float32_changes_nothing(cfg):
    with pytest.warns(UserWarning, match='autocast'):  # torch: it only knows the half precisions
        assert score_difference(cfg, 'cpu', torch.float32) == 0


def test_a_precision_that_loses_the_scores_is_noticed(cfg, monkeypatch):
    monkeypatch.setattr('mmdet_digits.utils.amp_check.BOUND_STEPS', 0.1)
    check = check_amp(cfg)
    assert check.status is Status.WARN
    assert 'at most 0.00' in check.expected


def test_numbers_that_are_not_finite_are_noticed(cfg, monkeypatch):
    monkeypatch.setattr('mmdet_digits.utils.amp_check.LOGIT_SPREAD', float('inf'))
    assert check_amp(cfg).status is Status.WARN


def test_a_model_without_rois_is_left_out():
    assert check_amp(dict(model=dict(bbox_head={}))).status is Status.OK


def test_of_a_cascade_the_first_stage_is_compared(cfg):
    head = cfg.model.roi_head.bbox_head
    cfg.model.roi_head.update(
        type='CascadeRoIHead',
        num_stages=2,
        stage_loss_weights=[1, 0.5],
        bbox_head=[dict(head, reg_class_agnostic=True)] * 2,
    )
    cfg.model.update(type='CascadeRCNN')
    cfg.model.train_cfg.rcnn = [cfg.model.train_cfg.rcnn] * 2
    check = check_amp(cfg)
    assert check.status is Status.OK
    assert 'class scores differ by up to' in check.found
