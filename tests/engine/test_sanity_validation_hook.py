"""What would end a run after its first epoch ends it before; else the run is as without."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import HOOKS, METRICS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from recorded_runs import assert_same_end, scalars, train
from tiny_runs import REPOSITORY, build_runner, tiny_cfg

from mmdet_digits.engine.hooks.sanity_validation_hook import (
    check_monitored,
    monitored_keys,
    validate_first_batch,
)
from mmdet_digits.engine.run_errors import explained_errors
from mmdet_digits.errors import InputError, RunError

CONFIGS = sorted(REPOSITORY.glob('configs/[!_]*/*.py'))
HOOK = dict(type='SanityValidationHook')


@METRICS.register_module()
class FullMemory(BaseMetric):
    """A metric that needs more memory than there is."""

    def process(self, data_batch, data_samples):
        raise torch.OutOfMemoryError('CUDA out of memory.')

    def compute_metrics(self, results):
        return {}


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = tiny_cfg(tmp_path / 'with', images=6, batch=2, augmented=True)
    cfg.train_cfg.max_epochs = 1
    cfg.custom_hooks.append(HOOK)
    return cfg


def test_the_run_is_the_same_as_without(cfg, tmp_path):
    steps, checkpoint = train(cfg)
    cfg.work_dir = str(tmp_path / 'without')
    cfg.custom_hooks.remove(HOOK)
    plain_steps, plain = train(cfg)
    assert steps == plain_steps
    assert_same_end(checkpoint, plain)
    names = [message['message_hub']['log_scalars'].keys() for message in (checkpoint, plain)]
    assert names[0] == names[1]
    logged = [
        [{k: v for k, v in line.items() if 'time' not in k} for line in scalars(tmp_path / folder)]
        for folder in ('with', 'without')
    ]
    assert logged[0] == logged[1] != []


def test_nothing_is_said_meanwhile_and_all_is_said_later(cfg, capfd):
    cfg.log_level = 'INFO'
    runner = build_runner(cfg)
    capfd.readouterr()
    HOOKS.build(HOOK).before_train(runner)
    assert capfd.readouterr() == ('', '')
    runner.logger.info('heard')
    assert 'heard' in ''.join(capfd.readouterr())


def test_key_that_no_metric_makes_stops_before_the_first_iteration(cfg):
    cfg.default_hooks.checkpoint.save_best = 'coco/bbox_map'
    runner = Runner.from_cfg(cfg)
    with pytest.raises(InputError, match='No metric makes') as error:
        runner.train()
    assert error.value.found == 'default_hooks.checkpoint.save_best=coco/bbox_map'
    assert 'coco/bbox_mAP,' in error.value.expected and 'val/loss,' in error.value.expected
    assert 'default_hooks.checkpoint.save_best=coco/bbox_mAP,' in error.value.fix
    assert runner.iter == 0
    assert not list(Path(cfg.work_dir).rglob('*.pth'))


def test_a_batch_that_does_not_fit_is_one_of_the_validation(cfg):
    cfg.val_evaluator = [dict(type='FullMemory')]
    cfg.default_hooks.checkpoint.save_best = None
    runner = Runner.from_cfg(cfg)
    with pytest.raises(RunError, match='memory of the GPU') as error, explained_errors(runner):
        runner.train()
    assert '--cfg-options val_dataloader.batch_size=1' in error.value.fix


def test_a_training_without_validation_has_nothing_to_check(cfg):
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    cfg.default_hooks.checkpoint.interval = -1
    assert Runner.from_cfg(cfg).train()


@pytest.fixture(scope='module')
def metrics(digits_root, tmp_path_factory):
    """What one batch gives under every metric that a config has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DIGITS_DATA_ROOT', str(digits_root))
        cfg = tiny_cfg(tmp_path_factory.mktemp('metrics'), images=6, batch=2)
    cfg.val_evaluator.append(dict(type='DigitsPrecisionMetric'))
    return validate_first_batch(build_runner(cfg).val_loop)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config_waits_for_a_key_that_is_made(path, metrics):
    cfg = Config.fromfile(path)
    monitored = dict(monitored_keys(cfg))
    assert monitored
    if 'DigitsPrecisionMetric' not in [metric['type'] for metric in cfg.val_evaluator]:
        metrics = {key: value for key, value in metrics.items() if not key.startswith('digits/')}
    check_monitored(monitored, metrics)


@pytest.mark.parametrize(
    ('key', 'nearest'),
    [
        ('coco/bbox_mAP_50', None),
        ('coco/7_precision', None),
        ('number/accuracy', None),
        ('number/accuracy_length_6', None),  # one batch may have none
        ('val/loss_rpn_bbox', None),
        ('coco/bbox_mAP50', 'coco/bbox_mAP_50'),
        ('bbox_mAP', 'coco/bbox_mAP'),
        ('number/acuracy', 'number/accuracy'),
        ('val/accuracy', 'val/acc'),
    ],
)
def test_key_that_no_metric_makes_names_the_nearest(metrics, key, nearest):
    if nearest is None:
        check_monitored({'a.save_best': key}, metrics)
        return
    with pytest.raises(InputError) as error:
        check_monitored({'a.save_best': key}, metrics)
    assert error.value.fix.startswith(f'--cfg-options a.save_best={nearest}, or ')


def test_hooks_that_wait():
    early = dict(type='EarlyStoppingHook', monitor='coco/mAP')
    checkpoint = dict(save_best=['a', 'auto'])
    cfg = dict(default_hooks=dict(checkpoint=checkpoint, timer=None), custom_hooks=[early])
    assert dict(monitored_keys(cfg)) == {
        'default_hooks.checkpoint.save_best': 'a',
        'custom_hooks.0.monitor': 'coco/mAP',
    }
