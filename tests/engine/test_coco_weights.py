"""A training starts from weights for 80 classes, as mmdet publishes them."""

import copy
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from tiny_runs import build_runner, tiny_cfg

from mmdet_digits.errors import InputError


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = tiny_cfg(tmp_path / 'run')
    cfg.load_from = str(tmp_path / 'coco.pth')
    return cfg


@pytest.fixture
def coco(cfg):
    """A checkpoint of the config's model with 80 classes."""
    model = copy.deepcopy(cfg.model)
    model.roi_head.bbox_head.num_classes = 80
    state = MODELS.build(model).state_dict()
    classes = tuple(f'class {number}' for number in range(80))
    torch.save({'meta': {'dataset_meta': {'classes': classes}}, 'state_dict': state}, cfg.load_from)
    return state


def test_a_training_starts_from_all_but_the_head(cfg, coco):
    runner = build_runner(cfg)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.load_or_resume()
    for name, value in runner.model.state_dict().items():
        is_of_classes = '.bbox_head.fc_cls.' in name or '.bbox_head.fc_reg.' in name
        assert torch.equal(value, (before if is_of_classes else coco)[name]), name
    (log,) = Path(cfg.work_dir).glob('*/*.log')
    logged = log.read_text()
    assert 'coco.pth: 4 weights are left out' in logged
    assert 'roi_head.bbox_head.fc_cls.bias 81, here 11\n' in logged


def test_a_test_does_not_run_without_the_head(cfg, coco):
    runner = build_runner(cfg)
    runner._test_loop = runner.build_test_loop(runner._test_loop)
    with pytest.raises(InputError, match='made for other classes'):
        runner.load_or_resume()
