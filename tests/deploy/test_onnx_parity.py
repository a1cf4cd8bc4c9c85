"""The counting of what differs, and an exported detector beside its model on real files."""

import numpy as np
import onnx
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmdet_digits.deploy.onnx_detector import OnnxDetector
from mmdet_digits.deploy.onnx_export import export_onnx
from mmdet_digits.deploy.onnx_parity import TOLERANCE, Parity, measure_parity, packed_batches
from mmdet_digits.errors import InputError
from mmdet_digits.repository import REPOSITORY

REAL = REPOSITORY.parent / 'shared/data/svhn-subset/train'
TINY = 'configs/digits/frcnn_tiny.py'


def random_detector(name=TINY):
    """A config and its model, with random weights that prefer some boxes and classes to others."""
    cfg = Config.fromfile(REPOSITORY / name)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    for layer in (model.rpn_head.rpn_cls, model.roi_head.bbox_head.fc_cls):
        layer.weight.data *= 5
    return cfg, model


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    cfg, model = random_detector()
    path = tmp_path_factory.mktemp('onnx') / 'tiny.onnx'
    export_onnx(model, path, properties=dict(classes='0,1'))
    return cfg, model, path


@pytest.mark.parametrize('batch_size', [1, 8])
def test_finds_what_the_model_finds(exported, digits_root, batch_size):
    """Synthetic images have many sizes; the canvas has one."""
    cfg, model, path = exported
    paths = sorted((digits_root / 'train').iterdir())
    parity = measure_parity(model, OnnxDetector(path), packed_batches(paths, cfg, batch_size))
    assert parity.images == len(paths) == 48 and parity.detections > 48
    assert parity.holds(), str(parity)


@pytest.mark.slow
@pytest.mark.parametrize('opset', [16, 20])
def test_every_opset_finds_it(digits_root, tmp_path, opset):
    cfg, model = random_detector()
    export_onnx(model, tmp_path / 'tiny.onnx', opset)
    batches = packed_batches(sorted((digits_root / 'test').iterdir()), cfg, 3)
    parity = measure_parity(model, OnnxDetector(tmp_path / 'tiny.onnx'), batches)
    assert parity.holds(), str(parity)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason='the real images are not at hand')
@pytest.mark.parametrize('name', ['frcnn_tiny', 'frcnn_fp32', 'frcnn_v2_fp32'])
def test_finds_it_in_photographs(tmp_path, name):
    cfg, model = random_detector(f'configs/digits/{name}.py')
    export_onnx(model, tmp_path / 'x.onnx')
    paths = sorted(REAL.glob('*.png'))[: 100 if name == 'frcnn_tiny' else 8]
    detector = OnnxDetector(tmp_path / 'x.onnx')
    parity = measure_parity(model, detector, packed_batches(paths, cfg, 8))
    assert parity.holds(), str(parity)


def test_boxes_come_in_pixels_of_the_original(exported, digits_root):
    cfg, model, path = exported
    paths = sorted((digits_root / 'test').iterdir())[:3]
    (batch,) = packed_batches(paths, cfg, 3)
    (same,) = packed_batches(paths, cfg, 3)
    with torch.no_grad():
        expected = model.test_step(batch)
    for theirs, ours in zip(expected, OnnxDetector(path).test_step(same), strict=True):
        parity = Parity()
        parity.add(theirs.pred_instances, ours.pred_instances)
        assert parity.unpaired == 0 and parity.bboxes < 1e-3


def test_the_file_says_what_it_is(exported):
    graph = onnx.load(exported[2])
    assert {entry.key: entry.value for entry in graph.metadata_props} == {'classes': '0,1'}
    axes = [d.dim_param or d.dim_value for d in graph.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ['batch', 3, 'height', 'width']


def test_a_file_that_is_no_detector(tmp_path):
    (tmp_path / 'cut.onnx').write_bytes(b'half a graph')
    with pytest.raises(InputError, match=r'cut\.onnx: not an exported detector'):
        OnnxDetector(tmp_path / 'cut.onnx')


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / 'broken.png').write_bytes(b'no picture')
    cfg = Config.fromfile(REPOSITORY / TINY)
    with pytest.raises(InputError, match=r'broken\.png'):
        list(packed_batches([tmp_path / 'broken.png'], cfg, 1))


def found(*rows):
    """Detections from rows of x1, y1, x2, y2, score, label."""
    rows = np.array(rows, dtype=np.float32).reshape(-1, 6)
    boxes, scores, labels = torch.from_numpy(rows).split([4, 1, 1], dim=1)
    return InstanceData(bboxes=boxes, scores=scores[:, 0], labels=labels[:, 0].long())


@pytest.mark.parametrize(
    ('expected', 'exported', 'unpaired', 'bboxes', 'scores'),
    [
        ([], [], 0, 0, 0),
        ([(0, 0, 9, 9, 0.5, 1)], [], 1, 0, 0),
        ([], [(0, 0, 9, 9, 0.5, 1)], 1, 0, 0),
        ([(0, 0, 9, 9, 0.5, 1)], [(0, 0, 9, 9, 0.5, 2)], 2, 0, 0),
        ([(0, 0, 9, 9, 0.5, 1)], [(0, 0, 9, 9.25, 0.75, 1)], 0, 0.25, 0.25),
        (
            [(0, 0, 9, 9, 0.5, 1), (20, 0, 29, 9, 0.5, 1)],
            [(20, 0, 29, 9, 0.5, 1), (0, 0, 9, 9, 0.5, 1)],
            0,
            0,
            0,
        ),
    ],
)
def test_parity_of_one_image(expected, exported, unpaired, bboxes, scores):
    parity = Parity()
    parity.add(found(*expected), found(*exported))
    assert (parity.images, parity.detections) == (1, len(expected))
    assert (parity.unpaired, parity.bboxes, parity.scores) == (unpaired, bboxes, scores)
    assert parity.holds() == (unpaired == 0 and max(bboxes, scores) <= TOLERANCE)
