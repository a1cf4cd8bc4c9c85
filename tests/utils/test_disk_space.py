from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS

from mmdet_digits.utils.checks import Status
from mmdet_digits.utils.disk_space import (
    check_disk,
    checkpoint_bytes,
    checkpoints_kept,
    judge_space,
    states_per_weight,
)


@pytest.mark.parametrize(
    ('epochs', 'hook', 'kept'),
    [
        (30, dict(interval=1), 30),
        (30, dict(interval=1, save_best='coco/bbox_mAP'), 31),
        (30, dict(interval=1, save_best=['a', 'b']), 32),
        (30, dict(interval=4), 8),  # the last one is saved too
        (30, dict(interval=-1), 1),
        (30, dict(interval=1, max_keep_ckpts=3), 4),  # while the newest is being written
        (2, dict(interval=1, max_keep_ckpts=3), 2),
    ],
)
def test_checkpoints_kept(epochs, hook, kept):
    assert checkpoints_kept(epochs, hook) == kept


@pytest.mark.parametrize(
    ('optimizer', 'states'),
    [
        (dict(type='SGD', lr=0.1), 0),
        (dict(type='SGD', lr=0.1, momentum=0.9), 1),
        (dict(type='AdamW', lr=0.1), 2),
    ],
)
def test_numbers_that_an_optimizer_keeps(optimizer, states):
    assert states_per_weight(optimizer) == pytest.approx(states, abs=0.01)


@pytest.mark.parametrize('frozen_stages', [-1, 4])
def test_checkpoint_is_as_large_as_the_file(cfg, tmp_path, frozen_stages):
    cfg.model.backbone.frozen_stages = frozen_stages
    model = MODELS.build(cfg.model)
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    torch.save([model.state_dict(), optimizer.state_dict()], tmp_path / 'checkpoint.pth')
    size = (tmp_path / 'checkpoint.pth').stat().st_size
    assert checkpoint_bytes(cfg) == pytest.approx(size, rel=0.02)


def test_weights_alone_are_smaller(cfg):
    whole = checkpoint_bytes(cfg)
    cfg.default_hooks.checkpoint.save_optimizer = False
    assert checkpoint_bytes(cfg) == pytest.approx(whole / 3, rel=0.02)


@pytest.mark.parametrize(
    ('free', 'status'), [(10 * 2**30, Status.OK), (10 * 2**30 - 1, Status.FAIL)]
)
def test_ten_checkpoints_of_one_gibibyte(free, status):
    check = judge_space(2**30, 10, free, Path('runs'))
    assert check.status is status
    assert '10 checkpoints of 1.0 GiB are 10.0 GiB' in check.found


def test_too_little_room_says_how_many_fit():
    check = judge_space(2**30, 31, 12 * 2**30, Path('runs'))
    assert check.fix.endswith('max_keep_ckpts=10')  # and the best one, and the one being written


def test_folder_of_the_run_need_not_exist(cfg, tmp_path):
    cfg.work_dir = str(tmp_path / 'a' / 'b')
    check = check_disk(cfg)
    assert check.status is Status.OK
    assert check.found.startswith('4 checkpoints of ')  # three epochs and the best
    assert not (tmp_path / 'a').exists()
