from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet_digits.utils.checks import Status
from mmdet_digits.utils.metric_keys import check_monitored_keys, made_keys, monitored_keys

CONFIGS = sorted((Path(__file__).resolve().parents[2] / 'configs/digits').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config_waits_for_a_key_that_it_makes(path):
    assert [check.status for check in check_monitored_keys(Config.fromfile(path))] == [Status.OK]


def test_keys_are_those_that_the_metrics_return(cfg):
    cfg.val_evaluator.append(dict(type='DigitsPrecisionMetric', prefix='at_0.7'))
    made, unknown = made_keys(cfg)
    assert unknown == set()
    assert {
        'coco/bbox_mAP',
        'coco/bbox_mAP_75',
        'coco/7_precision',
        'number/accuracy',
        'number/accuracy_length_3',
        'number/coverage_at_98',
        'at_0.7/precision',
        'at_0.7/f1',
    } <= made


@pytest.mark.parametrize(
    ('key', 'nearest'),
    [
        ('coco/bbox_map', 'coco/bbox_mAP'),
        ('coco/bbox_mAP50', 'coco/bbox_mAP_50'),
        ('bbox_mAP', 'coco/bbox_mAP'),
        ('number/acuracy', 'number/accuracy'),
        ('digits/precision', 'coco/0_precision'),  # only its own metric makes that
    ],
)
def test_key_that_no_metric_makes_names_the_nearest(cfg, key, nearest):
    cfg.default_hooks.checkpoint.save_best = key
    (check,) = check_monitored_keys(cfg)
    assert check.status is Status.FAIL
    assert check.found == f'default_hooks.checkpoint.save_best={key}'
    assert key == 'digits/precision' or check.expected.startswith(f'{nearest},')


@pytest.mark.parametrize(
    ('key', 'val_loop', 'status'),
    [
        ('val/loss', 'ValLossLoop', Status.OK),
        ('val/loss_rpn_bbox', 'ValLossLoop', Status.OK),
        ('val/acc', 'ValLossLoop', Status.OK),
        ('val/accuracy', 'ValLossLoop', Status.FAIL),
        ('val/loss', 'ValLoop', Status.FAIL),
        ('auto', 'ValLoop', Status.OK),
        (None, 'ValLoop', Status.OK),
        (['coco/bbox_mAP', 'number/accuracy'], 'ValLoop', Status.OK),
        (['coco/bbox_mAP', 'number/mAP'], 'ValLoop', Status.FAIL),
    ],
)
def test_keys_of_the_validation_loop_and_of_lists(cfg, key, val_loop, status):
    cfg.default_hooks.checkpoint.save_best = key
    cfg.val_cfg.type = val_loop
    assert [check.status for check in check_monitored_keys(cfg)] == [status]


def test_other_hooks_wait_too():
    early = dict(type='EarlyStoppingHook', monitor='coco/mAP')
    cfg = dict(default_hooks=dict(checkpoint=dict(save_best='a')), custom_hooks=[early])
    assert dict(monitored_keys(cfg)) == {
        'default_hooks.checkpoint.save_best': 'a',
        'custom_hooks.0.monitor': 'coco/mAP',
    }


def test_what_an_unknown_metric_makes_is_left_open(cfg):
    cfg.val_evaluator = [dict(type='CocoMetric', metric='segm')]  # needs masks
    cfg.default_hooks.checkpoint.save_best = 'coco/segm_mAP'
    assert check_monitored_keys(cfg)[0].status is Status.OK
    cfg.default_hooks.checkpoint.save_best = 'number/accuracy'
    assert check_monitored_keys(cfg)[0].status is Status.FAIL


def test_metrics_write_nothing_where_the_run_will(cfg, tmp_path):
    out = tmp_path / 'predictions.pkl'
    cfg.val_evaluator.append(dict(type='DumpDetResults', out_file_path=str(out)))
    assert check_monitored_keys(cfg)[0].status is Status.OK
    assert not out.exists()
