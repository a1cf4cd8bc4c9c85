import math

import pytest
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.values import check_values, settle_loaders


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
        ('optim_wrapper.accumulative_counts', 0),
        ('model.data_preprocessor.std', [0, 0, 0]),
        ('model.data_preprocessor.mean', [math.nan, 0, 0]),
        ('model.test_cfg.rcnn.score_thr', math.inf),
        ('model.test_cfg.rcnn.score_thr', math.nan),
        ('train_dataloader.prefetch_factor', 0),
        ('train_dataloader.timeout', -1),
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
        ('train_dataloader.prefetch_factor', None),
        ('model.test_cfg.rcnn.score_thr', 0),
        ('model.test_cfg.rcnn.score_thr', 1),
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


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_without_workers_a_loader_has_nothing_that_torch_refuses(cfg, split):
    loader = cfg[f'{split}_dataloader']
    options = dict(persistent_workers=True, prefetch_factor=4, timeout=9)
    loader.update(num_workers=2, multiprocessing_context='spawn', **options)
    settle_loaders(cfg)
    assert {key: loader[key] for key in options} == options
    loader.num_workers = 0
    settle_loaders(cfg)
    small = dict(loader, dataset=[0, 1, 2], batch_sampler=None)
    assert len(list(Runner.build_dataloader(small, seed=0))) == 1
    (check,) = check_values(cfg.to_dict())
    assert check.status is Status.OK


@pytest.mark.parametrize(
    ('path', 'value', 'found'),
    [
        ('train_dataloader.shuffle', True, 'sampler option is mutually exclusive'),
        ('val_dataloader.shuffle', True, 'sampler option is mutually exclusive'),
        ('param_scheduler.0.end', 0, 'end should be larger than begin'),
        ('param_scheduler.1.T_max', 'many', 'TypeError'),
        ('param_scheduler.1.gamma', 0.1, 'gamma'),
        ('param_scheduler.1.type', 'NoSuchLR', 'NoSuchLR'),
    ],
)
def test_what_torch_or_mmengine_refuses_in_a_training_is_found_before(cfg, path, value, found):
    cfg.merge_from_dict({path: value})
    (check,) = check_values(cfg.to_dict())
    assert check.status is Status.FAIL
    assert found in check.found
    assert check.name.startswith(path.rpartition('.')[0])
