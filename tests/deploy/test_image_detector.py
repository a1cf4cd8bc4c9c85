"""An exported detector that reads again, beside the model that it was made of."""

import copy
import json

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate

from mmdet_digits.assembly.crops import CropRules
from mmdet_digits.checks.config_files import read_config
from mmdet_digits.deploy.image_detector import ImageDetector
from mmdet_digits.deploy.onnx_detector import OnnxDetector
from mmdet_digits.deploy.onnx_export import export_onnx, settings_of
from mmdet_digits.deploy.onnx_graph import OnnxGraph
from mmdet_digits.deploy.predictor import load_detector
from mmdet_digits.errors import InputError
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.synthetic.writer import DatasetSpec, draw_image

NAME = 'frcnn_tiny_synthetic_256'


def config(**read_again):
    cfg = read_config(f'configs/digits/{NAME}.py')
    if read_again:
        cfg.model.type = 'ReadAgainFasterRCNN'
        cfg.model.test_cfg.read_again = read_again
        cfg.test_dataloader.dataset.pipeline[1].keep_original = True
    return cfg


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    cfg = config(shares=(0.66,), most=2)
    model = load_detector(cfg, REPOSITORY / f'models/{NAME}.safetensors', 'cpu')
    path = tmp_path_factory.mktemp('onnx') / 'again.onnx'
    export_onnx(model, path, properties=dict(settings=json.dumps(settings_of(cfg))))
    return cfg, model, path


@pytest.fixture(scope='module')
def images():
    """Numbers on plain walls, so small that a second look pays."""
    spec, found = DatasetSpec(train=8, valid=0, test=0, seed=5, look='clear'), []
    for index in range(1, 9):
        image = draw_image(spec, 'train', index).image
        height, width = image.shape[:2]
        wall = np.full((3 * height, 3 * width, 3), image.mean(), np.uint8)
        wall[height : 2 * height, width : 2 * width] = image
        found.append(wall)
    return found


def batch_of(cfg, images):
    pipeline = Compose([s for s in cfg.test_dataloader.dataset.pipeline if 'Load' not in s.type])
    return pseudo_collate(
        [
            pipeline(dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2]))
            for image in images
        ]
    )


@torch.no_grad()
def test_both_passes_find_what_the_model_finds(exported, images):
    cfg, model, path = exported
    expected = model.test_step(batch_of(cfg, images))
    as_model = OnnxDetector(path).test_step(batch_of(cfg, images))
    detector = ImageDetector(OnnxGraph(path))
    twice, once = detector.detect(images), detector.detect_once(images)
    assert detector.rules == CropRules(share=0.66, most=2, aspect=2.0)
    for sample, one, arrays in zip(expected, as_model, twice, strict=True):
        bboxes, scores, labels = (
            sample.pred_instances[name].numpy() for name in ('bboxes', 'scores', 'labels')
        )
        for found in (arrays, [one.pred_instances[k] for k in ('bboxes', 'scores', 'labels')]):
            assert np.array_equal(found[2], labels)
            assert np.allclose(found[0], bboxes, atol=1e-3)
            assert np.allclose(found[1], scores, atol=1e-4)
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(twice, once, strict=True))


def test_an_image_is_found_alike_in_any_batch(exported, images):
    detector = ImageDetector(OnnxGraph(exported[2]))
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = detector.detect([image])
        assert all(np.array_equal(*parts) for parts in zip(alone, found, strict=True))
    assert detector.detect([]) == []


def test_what_a_config_tells():
    settings = settings_of(config())
    assert settings['canvas'] == (256, 128) and settings['filling'] == (104, 116, 124)
    assert settings['read_again'] is None and settings['assembly']['iou_thr'] == 0.3
    assert settings_of(config(shares=(0.5,)))['read_again'] == dict(share=0.5)
    assert settings_of(config(most=2))['read_again'] == dict(share=CropRules.share, most=2)
    with pytest.raises(InputError, match=r'read_again.shares=\(0.5, 0.8\)') as caught:
        settings_of(config(shares=(0.5, 0.8)))
    assert 'shares=(0.5,)' in str(caught.value)


def test_a_file_that_tells_no_canvas_is_refused(exported, tmp_path):
    cfg, model, _ = exported
    resize = copy.deepcopy(cfg)
    resize.test_dataloader.dataset.pipeline[1] = dict(type='Resize', scale=(256, 128))
    export_onnx(
        model, tmp_path / 'x.onnx', properties=dict(settings=json.dumps(settings_of(resize)))
    )
    with pytest.raises(InputError, match='does not tell the canvas'):
        ImageDetector(OnnxGraph(tmp_path / 'x.onnx'))
