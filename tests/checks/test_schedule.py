import copy

import pytest
from mmengine.config import Config

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.schedule import check_schedule, fitted_schedule, follow_epochs

WARM_UP = dict(type='LinearLR', by_epoch=False, begin=0, end=100)
COSINE = dict(type='CosineAnnealingLR', T_max=4, convert_to_iter_based=True)
STEPS = dict(type='MultiStepLR', milestones=[2, 3], end=4)


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ([WARM_UP, COSINE], [WARM_UP, dict(COSINE, T_max=9)]),
        ([dict(COSINE, T_max=3)], [dict(COSINE, T_max=3)]),  # was not as long as the training
        ([dict(COSINE, by_epoch=False)], [dict(COSINE, by_epoch=False)]),  # 4 iterations
        ([STEPS], [dict(STEPS, end=9)]),
        ([], []),
    ],
)
def test_a_schedule_as_long_as_the_training_follows_it(before, after):
    assert fitted_schedule(before, 4, 9) == after


@pytest.mark.parametrize(
    ('options', 'length'),
    [
        ({'train_cfg.max_epochs': 9}, 9),
        ({'train_cfg.max_epochs': 9, 'param_scheduler.1.T_max': 5}, 5),
        ({'optim_wrapper.optimizer.lr': 0.1}, 3),
    ],
)
def test_options_of_the_command_line(options, length):
    cfg = read_config('configs/digits/frcnn_tiny.py')
    cfg.merge_from_dict(options)
    follow_epochs(cfg, 3, options)
    assert cfg.param_scheduler[1].T_max == length
    assert cfg.param_scheduler[0] == Config(dict(a=cfg.warm_up)).a  # in iterations: untouched


def test_a_config_without_a_schedule_or_epochs():
    for cfg in (Config(dict(train_cfg=dict(max_epochs=2))), Config(dict(model=1))):
        before = copy.deepcopy(cfg.to_dict())
        follow_epochs(cfg, 3, {})
        assert cfg.to_dict() == before


@pytest.mark.parametrize(
    ('scheduler', 'epochs', 'status', 'said'),
    [
        ([WARM_UP, COSINE], 4, Status.OK, ''),
        ([WARM_UP, COSINE], 6, Status.WARN, 'param_scheduler.1 ends after 4, and rises again'),
        (dict(COSINE), 2, Status.WARN, 'param_scheduler.0 ends after 4, so the rate does not'),
        ([dict(COSINE, begin=1)], 5, Status.OK, ''),
        ([dict(COSINE, by_epoch=False)], 6, Status.OK, ''),
        ([STEPS], 6, Status.OK, ''),
        (None, 6, Status.OK, ''),
    ],
)
def test_a_cosine_of_another_length_is_told(scheduler, epochs, status, said):
    check = check_schedule(dict(train_cfg=dict(max_epochs=epochs), param_scheduler=scheduler))
    assert check.status is status
    assert said in check.found
