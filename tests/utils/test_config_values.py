import math

import pytest
from mmengine.config import Config, ConfigDict

from mmdet_digits.utils.checks import Status
from mmdet_digits.utils.config_values import check_values


def wrong_values(cfg: Config, path: str, value) -> list[str]:
    cfg.merge_from_dict({path: value})
    return [check.name for check in check_values(cfg.to_dict()) if check.status is Status.FAIL]


def test_the_values_of_the_config_pass(cfg):
    (check,) = check_values(cfg.to_dict())
    assert check.status is Status.OK


RESIZE = 'train_dataloader.dataset.pipeline.2.scale'


@pytest.mark.parametrize(
    ('path', 'value'),
    [
        ('train_cfg.max_epochs', 0),
        ('train_cfg.max_epochs', 'many'),
        ('train_cfg.max_epochs', 1.5),
        ('train_cfg.val_interval', 0),
        ('train_dataloader.batch_size', '8'),
        ('val_dataloader.batch_size', 0),
        ('test_dataloader.batch_size', True),
        ('train_dataloader.num_workers', -1),
        ('optim_wrapper.optimizer.lr', 0),
        ('optim_wrapper.optimizer.lr', -1e-3),
        ('optim_wrapper.optimizer.lr', 'small'),
        ('optim_wrapper.optimizer.lr', math.nan),
        (RESIZE, 320),
        (RESIZE, (320,)),
        (RESIZE, (320, 0)),
        (RESIZE, (320, 160.5)),
    ],
)
def test_a_value_that_nothing_could_work_with_is_found(cfg, path, value):
    (name,) = wrong_values(cfg, path, value)
    assert name.startswith(f'{path}: ')


@pytest.mark.parametrize(
    ('path', 'value'),
    [
        ('train_cfg.max_epochs', 1),
        ('train_dataloader.num_workers', 0),
        ('optim_wrapper.optimizer.lr', 1),
        (RESIZE, [320, 160]),
    ],
)
def test_a_value_at_its_edge_passes(cfg, path, value):
    assert wrong_values(cfg, path, value) == []


def test_a_scale_of_another_transform_is_its_own_business():
    pipeline = [ConfigDict(type='RandomScale', scale=3)]
    (check,) = check_values(dict(train_dataloader=dict(dataset=dict(pipeline=pipeline))))
    assert check.status is Status.OK
