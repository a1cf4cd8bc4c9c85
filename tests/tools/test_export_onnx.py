"""From a checkpoint to an ONNX file, and from that to the numbers."""

import json

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_digits.coco.files import number_images
from mmdet_digits.deploy.image_list import find_images
from mmdet_digits.deploy.predictor import collect_predictions, load_detector, predict_images
from mmdet_digits.repository import REPOSITORY

TINY = 'configs/digits/frcnn_tiny.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A checkpoint of random weights."""
    cfg = Config.fromfile(REPOSITORY / TINY)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'random.pth'
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict(), 'meta': {}}, path)
    return path


def test_an_exported_detector_reads_the_same_numbers(run_tool, checkpoint, digits_root, tmp_path):
    images = digits_root / 'test'
    done = run_tool('export_onnx.py', TINY, checkpoint, 'x.onnx', '--check', images, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'x.onnx: 15.6 MB, opset 17' in done.stdout
    assert 'batches of 8: 16 images' in done.stdout and '0 unpaired' in done.stdout
    assert 'Warning' not in done.stderr
    arguments = (TINY, 'x.onnx', images, '--out', 'out', '--batch-size', '5')
    done = run_tool('predict.py', *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    cfg = Config.fromfile(REPOSITORY / TINY)
    cfg.test_dataloader.num_workers = 0
    paths = find_images([images])
    model = load_detector(cfg, checkpoint, 'cpu')
    found = [result for batch in predict_images(model, cfg, paths, 5) for result in batch]
    expected = collect_predictions(found, number_images(paths), 0.05, 'here').records()
    written = json.loads((tmp_path / 'out' / 'pred.json').read_text())
    assert len(written) == len(expected) > 100
    scores = [[record['score'] for record in records] for records in (written, expected)]
    assert sorted(scores[0]) == pytest.approx(sorted(scores[1]), abs=1e-4)
    assert (tmp_path / 'out' / 'pred.csv').read_text().count('\n') == 17
