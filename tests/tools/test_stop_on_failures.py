"""The quick checks that training and test begin with."""

import io
import json
import logging
import shutil

import pytest
from mmengine.logging import MMLogger

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.errors import InputError
from mmdet_digits.launching import stop_on_failures

CONFIG = 'configs/digits/frcnn_tiny.py'


@pytest.fixture
def cfg(digits_root, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    return read_config(CONFIG)


@pytest.fixture
def logged(request):
    """What is logged, as text."""
    logger = MMLogger.get_instance(request.node.name, log_level='WARNING')  # the current one now
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.WARNING)
    logger.addHandler(handler)
    yield stream.getvalue
    logger.removeHandler(handler)


def test_a_sound_run_is_let_through_without_a_word(cfg, logged):
    stop_on_failures(cfg, ('train', 'val'), insist=False)
    stop_on_failures(cfg, ('test',), insist=False)
    assert logged() == ''


def spoil(cfg):
    cfg.model.roi_head.bbox_head.num_classes = 11
    cfg.load_from = 'nothing.pth'
    cfg.train_dataloader.batch_size = 4


def test_all_failures_stop_it_together(cfg):
    spoil(cfg)
    with pytest.raises(InputError) as error:
        stop_on_failures(cfg, ('train', 'val'), insist=False)
    for said in ('num_classes=11', 'load_from=nothing.pth', '--no-preflight'):
        assert said in str(error.value)
    assert 'learning rate' not in str(error.value)  # that is only a warning


def test_who_insists_goes_on_with_failures_and_warnings_logged(cfg, logged):
    spoil(cfg)
    stop_on_failures(cfg, ('train', 'val'), insist=True)
    for said in ('num_classes=11', 'load_from=nothing.pth', 'optim_wrapper.optimizer.lr=0.0005'):
        assert said in logged()


def test_a_test_does_not_look_at_what_only_a_training_needs(cfg):
    cfg.model.rpn_head.anchor_generator.strides = 'wide'
    cfg.train_dataloader.dataset.ann_file = 'nowhere.json'
    stop_on_failures(cfg, ('test',), insist=False)


def test_a_check_that_cannot_be_made_does_not_stop_a_run(cfg, logged):
    cfg.model.rpn_head.anchor_generator.strides = 'wide'
    stop_on_failures(cfg, ('train', 'val'), insist=False)
    assert 'Anchors: the check broke off.' in logged()


def test_of_several_processes_the_first_checks(cfg, monkeypatch):
    spoil(cfg)
    monkeypatch.setenv('RANK', '1')
    stop_on_failures(cfg, ('train', 'val'), insist=False)


def test_each_process_adds_a_batch(cfg, logged, monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', '2')
    stop_on_failures(cfg, ('train', 'val'), insist=False)
    assert '0.001 at a batch of 16 (8 in 2 processes' in logged()


@pytest.fixture
def broken_root(digits_root, tmp_path):
    """A data set with a box of negative width and one of no image."""
    root = tmp_path / 'data'
    shutil.copytree(digits_root, root)
    content = json.loads((root / 'train.json').read_text())
    content['annotations'][0]['bbox'][2] = -3
    content['annotations'][1]['image_id'] = 99999
    (root / 'train.json').write_text(json.dumps(content))
    return root


def test_a_data_set_that_skips_what_is_broken_is_let_through(cfg, broken_root, logged):
    dataset = cfg.train_dataloader.dataset
    dataset.data_root = str(broken_root)
    with pytest.raises(InputError, match='boxes without size'):
        stop_on_failures(cfg, ('train', 'val'), insist=False)
    dataset.on_broken = 'skip'
    stop_on_failures(cfg, ('train', 'val'), insist=False)
    assert f'{broken_root / "train.json"}: boxes without size' in logged()


def test_empty_images_are_let_through_in_training_only(cfg, digits_root, tmp_path, logged):
    root = tmp_path / 'data'
    shutil.copytree(digits_root, root)
    (root / 'train' / '3.png').write_bytes(b'')
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].dataset.data_root = str(root)
    cfg.train_dataloader.dataset.on_broken = 'skip'
    stop_on_failures(cfg, ('train', 'val'), insist=False)
    assert f'{root / "train.json"}: unreadable images' in logged()
    assert 'image 3 (3.png): 0 bytes' in logged()
    (root / 'valid' / '3.png').write_bytes(b'')
    with pytest.raises(InputError, match='unreadable images'):
        stop_on_failures(cfg, ('train', 'val'), insist=False)


def test_training_on_broken_data_stops_before_it_writes_anything(run_tool, broken_root, tmp_path):
    done = run_tool('train.py', CONFIG, '--data-root', broken_root, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: {broken_root / "train.json"}: ')
    assert 'Traceback' not in done.stderr
    assert 'boxes without size' in done.stderr and 'annotations without image' in done.stderr
    assert not (tmp_path / 'work_dirs').exists()
