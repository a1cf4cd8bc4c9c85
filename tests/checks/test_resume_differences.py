import copy

import pytest

from mmdet_digits.checks.resume_differences import (
    NOT_SET,
    Counts,
    fitted_schedule,
    refuse,
    resume_differences,
)
from mmdet_digits.errors import InputError

OLD = dict(
    work_dir='runs',
    load_from=None,
    custom_hooks=[dict(type='PaddingHook')],
    default_hooks=dict(checkpoint=dict(interval=1, save_best='coco/bbox_mAP'), logger=dict(n=1)),
    model=dict(
        type='FasterRCNN',
        backbone=dict(depth=18, init_cfg=dict(checkpoint='a.pth')),
        test_cfg=dict(score_thr=0.05),
    ),
    optim_wrapper=dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=0.001, betas=(0.9, 0.999)),
        accumulative_counts=1,
    ),
    param_scheduler=[dict(type='LinearLR', end=100), dict(type='CosineAnnealingLR', T_max=3)],
    train_cfg=dict(type='ResumableTrainLoop', max_epochs=3, val_interval=1),
    train_dataloader=dict(
        batch_size=8,
        num_workers=2,
        dataset=dict(
            data_root='/data/digits',
            ann_file='train.json',
            pipeline=[dict(type='Resize', scale=(192, 96))],
            source=dict(box_style='/old/style.json'),
        ),
    ),
    val_dataloader=dict(batch_size=8),
    test_dataloader=dict(batch_size=8),
    randomness=dict(seed=42),
    scale=(192, 96),
)


def changed(**values):
    """The config with other values at these paths, with __ for the dots."""
    cfg = copy.deepcopy(OLD)
    for path, value in values.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split('__')]
        node = cfg
        for key in parents:
            node = node[key]
        if value is NOT_SET:
            del node[last]
        else:
            node[last] = value
    return cfg


@pytest.mark.parametrize(
    ('path', 'value', 'counts'),
    [
        ('work_dir', 'other', None),
        ('load_from', 'x.pth', None),
        ('scale', (320, 160), None),  # only a name inside the file
        ('default_hooks__checkpoint__interval', 5, None),
        ('default_hooks__logger__n', 10, None),
        ('default_hooks__checkpoint__save_best', 'val/loss', Counts.HERE),
        ('custom_hooks', [], Counts.HERE),
        ('model__backbone__init_cfg', None, None),
        ('model__test_cfg__score_thr', 0.5, Counts.HERE),
        ('model__backbone__depth', 50, Counts.NEITHER),
        ('model__neck', dict(type='FPN'), Counts.NEITHER),
        ('optim_wrapper__optimizer__lr', 0.5, Counts.CHECKPOINT),
        ('optim_wrapper__optimizer__betas', [0.9, 0.999], None),  # a list or a tuple, no matter
        ('optim_wrapper__optimizer__betas', (0.8, 0.999), Counts.CHECKPOINT),
        ('optim_wrapper__optimizer__fused', True, Counts.CHECKPOINT),
        ('optim_wrapper__optimizer__lr', NOT_SET, Counts.CHECKPOINT),
        ('optim_wrapper__optimizer__type', 'SGD', Counts.NEITHER),
        ('optim_wrapper__accumulative_counts', 2, Counts.NEITHER),
        ('optim_wrapper__type', 'PortableAmpOptimWrapper', Counts.HERE),
        ('param_scheduler__1__T_max', 5, Counts.CHECKPOINT),
        ('param_scheduler__1__type', 'StepLR', Counts.NEITHER),
        ('param_scheduler', [dict(type='LinearLR', end=100)], Counts.NEITHER),
        ('train_cfg__max_epochs', 6, Counts.HERE),
        ('train_cfg__val_interval', 2, Counts.HERE),
        ('train_dataloader__num_workers', 0, None),
        ('train_dataloader__persistent_workers', False, None),
        ('train_dataloader__batch_size', 4, Counts.NEITHER),
        ('train_dataloader__dataset__ann_file', 'other.json', Counts.NEITHER),
        ('train_dataloader__dataset__data_root', '/elsewhere/svhn', Counts.HERE),
        ('train_dataloader__dataset__pipeline__0__scale', (320, 160), Counts.NEITHER),
        ('train_dataloader__dataset__source__box_style', '/new/style.json', Counts.HERE),
        ('train_dataloader__dataset__source__box_style', '/new/other.json', Counts.NEITHER),
        ('val_dataloader__batch_size', 1, Counts.HERE),
        ('test_dataloader__batch_size', 1, None),
        ('randomness__seed', 1, Counts.CHECKPOINT),
    ],
)
def test_which_side_counts(path, value, counts):
    found = resume_differences(OLD, changed(**{path: value}))
    assert [(d.path.replace('.', '__')[: len(path)], d.counts) for d in found] == (
        [(path, counts)] if counts else []
    )


def test_equal_configs_differ_in_nothing():
    assert resume_differences(OLD, copy.deepcopy(OLD)) == []
    assert resume_differences({}, OLD) == []


def test_with_other_epochs_the_schedule_of_this_run_counts():
    new = changed(train_cfg__max_epochs=6, param_scheduler__1__T_max=5)
    assert {d.path: d.counts for d in resume_differences(OLD, new)} == {
        'param_scheduler.1.T_max': Counts.HERE,
        'train_cfg.max_epochs': Counts.HERE,
    }


def test_what_cannot_go_on_is_listed_in_one_message_with_the_way_out():
    new = changed(
        optim_wrapper__optimizer__type='SGD',
        train_dataloader__batch_size=4,
        optim_wrapper__optimizer__lr=0.5,
    )
    with pytest.raises(InputError) as error:
        refuse(resume_differences(OLD, new), 'runs/epoch_3.pth')
    assert "optimizer.type: 'SGD', in the checkpoint 'AdamW'" in error.value.found
    assert 'batch_size: 4, in the checkpoint 8' in error.value.found
    assert 'optimizer.lr' not in error.value.found
    assert '--cfg-options load_from=runs/epoch_3.pth' in error.value.fix
    refuse(resume_differences(OLD, changed(optim_wrapper__optimizer__lr=0.5)), 'x.pth')


def test_only_what_was_as_long_as_the_training_is_made_longer():
    schedulers = [
        dict(type='LinearLR', by_epoch=False, begin=0, end=3),
        dict(type='CosineAnnealingLR', T_max=3, convert_to_iter_based=True),
        dict(type='PolyLR', begin=1, end=3),
        dict(type='CosineAnnealingLR', T_max=2),
        dict(type='StepLR', step_size=3),
    ]
    fitted = fitted_schedule(schedulers, old_epochs=3, epochs=6)
    assert [s.get('T_max', s.get('end')) for s in fitted] == [3, 6, 6, 2, None]
    assert fitted[4] == schedulers[4]
