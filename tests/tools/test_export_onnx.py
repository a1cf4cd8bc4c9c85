"""From a checkpoint to an ONNX file, and from that to the numbers."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_digits.cli import REPOSITORY

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
    pytest.importorskip('onnxruntime', reason="needs the extra 'onnx'")
    images = digits_root / 'test'
    done = run_tool('export_onnx.py', TINY, checkpoint, 'x.onnx', '--check', images, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'x.onnx: 15.6 MB, opset 17' in done.stdout
    assert 'batches of 8: 16 images' in done.stdout and '0 unpaired' in done.stdout
    assert 'Warning' not in done.stderr
    for name, weights in (('torch', checkpoint), ('onnx', 'x.onnx')):
        arguments = (TINY, weights, images, '--out', name, '--batch-size', '5')
        done = run_tool('predict.py', *arguments, '--score-thr', '0.1', cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    by_torch, by_onnx = ((tmp_path / name / 'pred.csv').read_text() for name in ('torch', 'onnx'))
    assert by_torch == by_onnx
