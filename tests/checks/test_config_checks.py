from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet_digits.checks.config import (
    check_batch_independence,
    check_classes,
    check_held_out,
    check_learning_rate,
    check_machine,
    check_scales,
    class_counts,
    resize_scales,
    scale_learning_rate,
)
from mmdet_digits.checks.data import Split
from mmdet_digits.checks.finding import Status
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.errors import InputError


def loader(ann_file='train.json', **dataset):
    return dict(dataset=dict(type='DigitsDataset', ann_file=ann_file, **dataset))


def classes_cfg(num_classes, **dataset):
    model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes)))
    return dict(model=model, train_dataloader=loader(**dataset))


def annotated(names):
    return {
        'train': Split(Path('t.json'), Path('t'), dict(categories=[dict(name=n) for n in names]))
    }


@pytest.mark.parametrize(
    ('cfg', 'names', 'said'),
    [
        (classes_cfg(10), DIGITS, None),
        (classes_cfg(10), DIGITS[::-1], None),
        (classes_cfg(10), (*DIGITS[1:], 'nine'), None),  # the checks of the data say it
        (classes_cfg(11), DIGITS, 'bbox_head.num_classes=11, for the classes 10: 0, 1'),
        (classes_cfg(9), DIGITS, '--cfg-options model.roi_head.bbox_head.num_classes=10'),
        (classes_cfg(2, metainfo=dict(classes=('a', 'b'))), ('a', 'b', 'c'), None),
        (classes_cfg(2, metainfo=dict(classes=('a', 'b'))), (), None),
        (classes_cfg(2, metainfo=dict(classes=('a', 'b'))), ('b', 'c'), 'category is named a'),
        (classes_cfg(10, metainfo=dict(classes=('a', 'b'))), ('a', 'b'), 'num_classes=2'),
    ],
)
def test_classes_of_heads_data_set_and_file(cfg, names, said):
    check = check_classes(cfg, annotated(names))
    assert check.status is (Status.FAIL if said else Status.OK)
    assert (said or '') in str(check)


def test_class_counts_are_those_of_the_heads():
    stages = [dict(num_classes=1), dict(num_classes=2)]
    model = dict(
        rpn_head=dict(num_classes=7),
        roi_head=dict(bbox_head=stages, mask_head=dict(loss=dict(num_classes=3))),
    )
    assert dict(class_counts(model)) == {
        'model.roi_head.bbox_head.0.num_classes': 1,
        'model.roi_head.bbox_head.1.num_classes': 2,
        'model.roi_head.mask_head.loss.num_classes': 3,
    }


def rate_cfg(batch, base=16, **wrapper):
    return dict(
        train_dataloader=dict(batch_size=batch),
        auto_scale_lr=dict(base_batch_size=base),
        optim_wrapper=dict(optimizer=dict(lr=0.02), **wrapper),
    )


@pytest.mark.parametrize(
    ('cfg', 'processes', 'expected'),
    [
        (rate_cfg(16), 1, None),
        (rate_cfg(4), 4, None),
        (rate_cfg(4, accumulative_counts=4), 1, None),
        (rate_cfg(4, base=None), 1, None),
        (rate_cfg(8), 1, '0.01'),
        (rate_cfg(16), 2, '0.04'),
        (rate_cfg(4, accumulative_counts=2), 4, '0.04'),
    ],
)
def test_learning_rate_by_the_linear_rule(cfg, processes, expected):
    check = check_learning_rate(cfg, processes)
    assert check.status is (Status.WARN if expected else Status.OK)
    if expected:
        assert check.expected.startswith(f'{expected} ')
        assert f'optim_wrapper.optimizer.lr={expected}' in check.fix


@pytest.mark.parametrize(
    ('batch', 'accumulated', 'rate'), [(8, 2, 0.02), (4, 2, 0.01), (16, 1, 0.02)]
)
def test_scaling_counts_what_the_check_counts(batch, accumulated, rate):
    cfg = Config(rate_cfg(batch, accumulative_counts=accumulated))
    scale_learning_rate(cfg)
    assert cfg.optim_wrapper.optimizer.lr == 0.02  # nobody asked
    cfg.auto_scale_lr.enable = True
    scale_learning_rate(cfg)
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(rate)
    assert check_learning_rate(cfg).status is Status.OK
    scale_learning_rate(cfg)  # the dumped config is not scaled once more
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(rate)


def test_scaling_without_a_batch_to_scale_from_is_an_error():
    cfg = Config(rate_cfg(8, base=None))
    cfg.auto_scale_lr.enable = True
    with pytest.raises(InputError, match='cannot be scaled'):
        scale_learning_rate(cfg)


def test_learning_rate_that_will_be_scaled_is_right():
    cfg = rate_cfg(8)
    cfg['auto_scale_lr']['enable'] = True
    assert check_learning_rate(cfg).status is Status.OK


def resizing(**step):
    return loader(pipeline=[dict(type='Load'), dict(type='Resize', **step)])


RANGE = dict(type='RandomResize', scale=[(300, 150), (400, 200)])
CHOICE = dict(type='RandomChoiceResize', scales=[(300, 150), (160, 320)])


@pytest.mark.parametrize(
    ('train', 'test', 'fits'),
    [
        (resizing(scale=(320, 160)), resizing(scale=(320, 160)), True),
        (resizing(scale=(320, 160)), resizing(scale=[160, 320]), True),
        (resizing(scale=(320, 160)), resizing(scale=(640, 320)), False),
        (resizing(scale=(320, 160)), resizing(scale=(320, 200)), False),
        (loader(pipeline=[RANGE]), resizing(scale=(320, 160)), True),
        (loader(pipeline=[RANGE]), resizing(scale=(420, 200)), False),
        (loader(pipeline=[CHOICE]), resizing(scale=(310, 155)), True),
        (resizing(scale=(320, 160), ratio_range=(0.5, 2.0)), resizing(scale=(640, 320)), True),
        (loader(pipeline=[]), resizing(scale=(640, 320)), True),
        (resizing(scale=(320, 160)), {}, True),
        (resizing(scale_factor=2.0), resizing(scale=(640, 320)), True),
    ],
)
def test_scale_of_training_and_test(train, test, fits):
    check = check_scales(dict(train_dataloader=train, val_dataloader=train, test_dataloader=test))
    assert check.status is (Status.OK if fits else Status.WARN)


def test_message_on_scales_names_both():
    cfg = dict(
        train_dataloader=resizing(scale=(320, 160)), val_dataloader=resizing(scale=(1333, 800))
    )
    found = check_scales(cfg).found
    assert found == 'val_dataloader resizes to 1333 x 800, train_dataloader to 320 x 160'


def test_resizes_within_wrappers_count():
    inner = resizing(scale=(320, 160))['dataset']
    wrapped = dict(dataset=dict(type='RepeatDataset', dataset=inner, pipeline=[CHOICE]))
    assert len(resize_scales(wrapped)) == 3


@pytest.mark.parametrize(('val', 'fits'), [('valid.json', True), ('train.json', False)])
def test_validation_on_the_training_file_is_said(val, fits):
    check = check_held_out(dict(train_dataloader=loader(), val_dataloader=loader(val)))
    assert check.status is (Status.OK if fits else Status.WARN)
    assert fits or 'train_dataloader and val_dataloader both read train.json' in check.found


@pytest.mark.parametrize(
    ('backbone', 'device', 'status'),
    [
        (dict(depth=50), 'cpu', Status.WARN),
        (dict(depth=101), 'cpu', Status.WARN),
        (dict(depth=50), 'cuda', Status.OK),
        (dict(depth=50), 'mps', Status.OK),
        (dict(depth=18), 'cpu', Status.OK),
        (dict(deepen_factor=0.167), 'cpu', Status.OK),
    ],
)
def test_large_model_without_a_gpu_is_told_of_the_tiny_one(backbone, device, status):
    check = check_machine(dict(model=dict(backbone=backbone)), device)
    assert check.status is status
    assert ('frcnn_tiny.py' in check.fix) is (status is Status.WARN)


CANVAS = dict(type='CanvasResize', scale=(320, 160))
RATIO = dict(type='Resize', scale=(320, 160), keep_ratio=True)


@pytest.mark.parametrize(
    ('steps', 'batch_size', 'status'),
    [
        ([CANVAS], 16, Status.OK),
        ([RATIO], 16, Status.WARN),
        ([RATIO], 1, Status.OK),
        ([RATIO, dict(type='Pad', size=(320, 320))], 16, Status.OK),
        ([RATIO, dict(type='Pad', size_divisor=32)], 16, Status.WARN),
        ([dict(type='Resize', scale=(320, 160))], 16, Status.OK),
        ([dict(type='RandomFlip')], 16, Status.WARN),
    ],
)
@pytest.mark.parametrize('name', ['val', 'test'])
def test_images_padded_to_the_largest_of_a_batch_are_told(name, steps, batch_size, status):
    data = dict(loader(pipeline=[dict(type='LoadImageFromFile'), *steps]), batch_size=batch_size)
    repeated = dict(data, dataset=dict(type='RepeatDataset', times=2, dataset=data['dataset']))
    for tested in (data, repeated):
        check = check_batch_independence({f'{name}_dataloader': tested})
        assert check.status is status
        assert (f'--cfg-options {name}_dataloader.batch_size=1' in check.fix) == (
            status is Status.WARN
        )
