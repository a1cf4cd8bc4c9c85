from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdet_digits.apis.predictor import (
    ImageResult,
    collect_predictions,
    load_detector,
    predict_images,
)
from mmdet_digits.cli import REPOSITORY
from mmdet_digits.utils.errors import InputError


@pytest.fixture
def cfg():
    return Config.fromfile(REPOSITORY / 'configs/digits/frcnn_tiny.py')


def save_random(cfg, path):
    from mmdet.registry import MODELS

    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict(), 'meta': {}}, path)
    return path


def test_a_checkpoint_of_another_model_is_refused(cfg, tmp_path):
    torch.save({'state_dict': {'fc.weight': torch.zeros(3)}}, tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'other\.pth: not a checkpoint of this config'):
        load_detector(cfg, tmp_path / 'other.pth', 'cpu')


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_a_device_that_is_not_there(cfg, tmp_path):
    with pytest.raises(InputError, match='--device cuda:0: not usable'):
        load_detector(cfg, save_random(cfg, tmp_path / 'a.pth'), 'cuda:0')


def test_batches_cover_every_file_once(cfg, tmp_path, digits_root):
    cfg.test_dataloader.num_workers = 0
    model = load_detector(cfg, save_random(cfg, tmp_path / 'a.pth'), 'cpu')
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'no picture')
    paths = [digits_root / 'test' / '1.png', broken, broken, digits_root / 'test' / '2.png']
    batches = list(predict_images(model, cfg, [*paths, Path('missing.png')], batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    results = sorted((result for batch in batches for result in batch), key=lambda r: r.index)
    assert [bool(result.error) for result in results] == [False, True, True, False, True]
    assert 'broken.png' in results[1].error and 'missing.png' in results[4].error
    assert len(results[0].scores) and len(results[1].scores) == 0


def test_collecting_keeps_scores_at_the_threshold():
    bboxes = np.array([[1.0, 2, 4, 8], [0, 0, 1, 1]], dtype=np.float32)
    full = ImageResult(1, bboxes, np.array([0.5, 0.25]), np.array([0, 9]))
    none = ImageResult(0, np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int))
    predictions = collect_predictions([none, full], [30, 40], 0.5, 'pred.json')
    record = {'image_id': 40, 'bbox': [1.0, 2.0, 3.0, 6.0], 'score': 0.5, 'category_id': 1}
    assert predictions.records() == [record]
