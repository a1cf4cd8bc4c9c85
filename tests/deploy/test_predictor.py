from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.deploy.predictor import (
    ImageFiles,
    ImageResult,
    collect_predictions,
    load_detector,
    predict_images,
)
from mmdet_digits.errors import InputError, failure_line
from mmdet_digits.repository import REPOSITORY


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


def test_what_is_found_does_not_depend_on_the_batch(digits_root):
    cfg = Config.fromfile(REPOSITORY / 'configs/digits/frcnn_tiny_synthetic_256.py')
    keys = ('ori_shape', 'img_shape', 'scale_factor')
    cfg.test_dataloader.update(num_workers=0)
    cfg.test_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(128, 64), keep_ratio=True),
        dict(type='PackDetInputs', meta_keys=keys),
    ]
    weights = REPOSITORY / 'models/frcnn_tiny_synthetic_256.safetensors'
    model = load_detector(cfg, weights, 'cpu')
    paths = sorted((digits_root / 'train').iterdir())[:24]
    assert len({Image.open(path).size for path in paths}) > 10
    alone = detect(model, cfg, paths, 1)
    shuffled = np.random.default_rng(0).permutation(24)
    for order, batch_size in ((np.arange(24), 3), (shuffled, 16)):
        together = detect(model, cfg, [paths[n] for n in order], batch_size)
        numbers = numbers_of(together)
        assert [numbers[np.flatnonzero(order == n)[0]] for n in range(24)] == numbers_of(alone)
        for place, n in enumerate(order):
            for name in ('bboxes', 'scores', 'labels'):
                found, expected = (getattr(r, name) for r in (together[place], alone[n]))
                np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert len(set(numbers_of(alone))) > 10


def test_what_a_step_cannot_take_is_a_line_that_names_the_file(tmp_path):
    path = tmp_path / 'thin.png'
    Image.new('L', (1, 9000)).save(path)
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(128, 64), keep_ratio=True),  # to a width of 0
        dict(type='PackDetInputs'),
    ]
    index, line = ImageFiles([path], steps)[0]
    assert index == 0 and line.startswith(f'{path}: cannot be used: OpenCV') and '\n' not in line


def detect(model, cfg, paths, batch_size):
    found = [r for batch in predict_images(model, cfg, paths, batch_size) for r in batch]
    return sorted(found, key=lambda result: result.index)


def numbers_of(results):
    ids = range(len(results))
    detections = collect_predictions(results, ids, 0.05, '').to_detections(ids, '')
    return assemble_numbers(detections).strings.tolist()


@pytest.mark.parametrize(
    ('name', 'error', 'expected'),
    [
        ('a.png', InputError('a.png: no image.', '0 bytes', 'x', 'y'), 'a.png: no image: 0 bytes'),
        ('a\n.png', ValueError(''), 'a\\n.png: cannot be used: ValueError'),
        ('\udce9.png', OSError('one\ntwo'), '\\udce9.png: cannot be used: one\\ntwo'),
    ],
)
def test_a_failure_is_one_line(name, error, expected):
    assert failure_line(Path(name), error) == expected


def test_collecting_keeps_scores_at_the_threshold():
    bboxes = np.array([[1.0, 2, 4, 8], [0, 0, 1, 1]], dtype=np.float32)
    full = ImageResult(1, bboxes, np.array([0.5, 0.25]), np.array([0, 9]))
    none = ImageResult(0, np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int))
    predictions = collect_predictions([none, full], [30, 40], 0.5, 'pred.json')
    record = {'image_id': 40, 'bbox': [1.0, 2.0, 3.0, 6.0], 'score': 0.5, 'category_id': 1}
    assert predictions.records() == [record]
