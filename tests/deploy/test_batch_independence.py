"""What is read in an image does not depend on the images beside it, by PyTorch and ONNX Runtime."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.deploy.onnx_detector import OnnxDetector
from mmdet_digits.deploy.onnx_export import export_onnx
from mmdet_digits.deploy.onnx_parity import packed_batches
from mmdet_digits.deploy.predictor import load_detector
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.synthetic.writer import DatasetSpec, write_dataset

NAME = 'frcnn_tiny_synthetic_256'
IMAGES = 40


@pytest.fixture(scope='module')
def cfg():
    return Config.fromfile(REPOSITORY / f'configs/digits/{NAME}.py')


@pytest.fixture(scope='module')
def model(cfg):
    return load_detector(cfg, REPOSITORY / f'models/{NAME}.safetensors', 'cpu')


@pytest.fixture(scope='module', params=['PyTorch', 'ONNX Runtime'])
def detector(request, model, tmp_path_factory):
    if request.param == 'PyTorch':
        return model
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    export_onnx(model, path)
    return OnnxDetector(path)


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp('mixed') / 'data'
    write_dataset(root, DatasetSpec(train=IMAGES, valid=1, test=1, seed=3), workers=1)
    return sorted((root / 'train').iterdir())


@torch.no_grad()
def read(detector, cfg, paths, batch_size):
    """Boxes with scores (K, 5) and labels by path, and the number by path."""
    samples = [
        sample
        for batch in packed_batches(paths, cfg, batch_size)
        for sample in detector.test_step(batch)
    ]
    found, numbers = {}, {}
    for path, sample in zip(paths, samples, strict=True):
        boxes, scores, labels = (
            sample.pred_instances[key].numpy() for key in ('bboxes', 'scores', 'labels')
        )
        found[path] = np.column_stack([boxes, scores]), labels
        detections = Detections(np.zeros(len(labels)), boxes, labels, scores, num_images=1)
        numbers[path] = assemble_numbers(detections).strings[0]
    return found, numbers


def test_an_image_is_read_alike_in_any_batch(detector, cfg, paths):
    alone, numbers = read(detector, cfg, paths, 1)
    assert sum(len(labels) for _, labels in alone.values()) > IMAGES
    shuffled = [paths[i] for i in np.random.default_rng(0).permutation(IMAGES)]
    for order, batch_size in ((paths, 3), (paths, 16), (shuffled, 16)):
        together, same_numbers = read(detector, cfg, order, batch_size)
        assert same_numbers == numbers
        for path, (values, labels) in alone.items():
            assert (together[path][1] == labels).all()
            np.testing.assert_allclose(together[path][0], values, atol=1e-4)
