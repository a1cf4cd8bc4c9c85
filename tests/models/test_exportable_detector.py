"""One function of tensors finds what mmdet's own predict finds."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmdet_digits.deploy.onnx_parity import Parity
from mmdet_digits.errors import InputError
from mmdet_digits.models.exportable_detector import ExportableDetector
from mmdet_digits.ops.grouped_nms import grouped_nms
from mmdet_digits.repository import REPOSITORY


def build(name, **changes):
    """A recipe's detector with random weights that prefer some boxes and classes to others."""
    cfg = Config.fromfile(REPOSITORY / f'configs/digits/{name}.py')
    cfg.merge_from_dict({'model.backbone.init_cfg': None, **changes})
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    for layer in (model.rpn_head.rpn_cls, model.roi_head.bbox_head.fc_cls):
        layer.weight.data *= 5
    return model


def noise(*sizes):
    """Images (3, H, W) of coarse noise."""
    generator = torch.Generator().manual_seed(1)
    blocks = [torch.randint(0, 256, (3, 12, 24), generator=generator) for _ in sizes]
    return [
        torch.nn.functional.interpolate(block[None].float(), size)[0].byte()
        for block, size in zip(blocks, sizes, strict=True)
    ]


def on_canvas(images, fill=110):
    """The images (B, 3, H, W) on canvases that hold the largest of them, and their sizes (B, 2)."""
    sizes = torch.tensor([image.shape[1:] for image in images])
    batch = torch.full((len(images), 3, *sizes.amax(dim=0)), fill, dtype=torch.uint8)
    for image, place in zip(images, batch, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    return batch, sizes


@torch.no_grad()
def by_mmdet(model, images):
    batch, sizes = on_canvas(images)
    samples = [DetDataSample(metainfo=dict(img_shape=tuple(size))) for size in sizes.tolist()]
    data = model.data_preprocessor(dict(inputs=list(batch), data_samples=samples), False)
    samples = model.predict(data['inputs'], data['data_samples'], rescale=False)
    return [sample.pred_instances for sample in samples]


@torch.no_grad()
def by_tensors(model, images):
    bboxes, labels, scores, index = ExportableDetector(model)(*on_canvas(images))
    return [
        InstanceData(bboxes=bboxes[rows], labels=labels[rows], scores=scores[rows])
        for rows in (index == i for i in range(len(images)))
    ]


def assert_same(model, images):
    """The order of equal scores may differ."""
    parity = Parity()
    for theirs, ours in zip(by_mmdet(model, images), by_tensors(model, images), strict=True):
        parity.add(theirs, ours)
        assert ours.scores.tolist() == sorted(ours.scores.tolist(), reverse=True)
    assert parity.detections > 5
    assert (parity.unpaired, parity.bboxes, parity.scores) == pytest.approx((0, 0, 0), abs=1e-5)


@pytest.mark.parametrize('name', ['frcnn_tiny', 'frcnn_fp32', 'frcnn_v2_fp32'])
@pytest.mark.parametrize('sizes', [[(48, 96)], [(40, 64), (64, 33)]])
def test_finds_what_mmdet_finds(name, sizes):
    assert_same(build(name), noise(*sizes))


@pytest.mark.parametrize(
    'changes',
    [
        {'model.roi_head.bbox_head.reg_class_agnostic': True},
        {'model.test_cfg.rcnn.max_per_img': 3},
        {'model.test_cfg.rpn.nms_pre': 20, 'model.test_cfg.rpn.max_per_img': 7},
        {'model.test_cfg.rpn.min_bbox_size': 12},
        {'model.test_cfg.rpn.nms_pre': -1},
    ],
)
def test_the_settings_of_the_config_are_obeyed(changes):
    assert_same(build('frcnn_tiny', **changes), noise((48, 96), (48, 80)))


def test_an_image_without_detections_has_none():
    model = build('frcnn_tiny', **{'model.test_cfg.rcnn.score_thr': 0.999})
    (found,) = by_tensors(model, noise((48, 96)))
    assert found.bboxes.shape == (0, 4) and found.scores.shape == found.labels.shape == (0,)


@pytest.mark.parametrize(
    ('changes', 'found'),
    [
        ({'model.test_cfg.rcnn.nms.type': 'soft_nms'}, 'test_cfg.rcnn.nms'),
        ({'model.test_cfg.rpn.nms.class_agnostic': True}, 'test_cfg.rpn.nms'),
        (
            {'model.roi_head.bbox_roi_extractor.type': 'GenericRoIExtractor'},
            'bbox_roi_extractor.type=GenericRoIExtractor',
        ),
        ({'model.rpn_head.bbox_coder.type': 'LegacyDeltaXYWHBBoxCoder'}, 'rpn_head.bbox_coder'),
    ],
)
def test_what_it_does_not_know_is_named(changes, found):
    with pytest.raises(InputError, match=found):
        ExportableDetector(build('frcnn_tiny', **changes))


def test_nms_is_within_groups_and_above_the_score():
    box, beside = [0.0, 0, 10, 10], [20.0, 0, 30, 10]
    boxes = torch.tensor([[box, box, beside], [box, beside, box]])
    scores = torch.tensor([[0.5, 0.6, 0.1], [0.9, 0.2, 0.3]])
    kept = grouped_nms(boxes, scores, 0.5, 0.1)
    assert kept.tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 1]]
