"""With converted weights, mmdet's model does what torchvision's does, stage by stage."""

import mmdet_digits.register  # noqa: F401  (operators before mmdet)

# isort: split
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.models.task_modules import AnchorGenerator
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import nn
from torchvision.models import get_model_builder
from torchvision.models.detection.anchor_utils import AnchorGenerator as TorchvisionAnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from mmdet_digits.models.rounded_anchor_generator import RoundedAnchorGenerator
from mmdet_digits.models.torchvision_weights import ARCHS, convert_state_dict

V1, V2 = ARCHS
CONFIGS = Path(__file__).parents[2] / 'configs/_base_/models'
PROPOSALS = 100  # instead of 1000 and 2000, for speed
EVERYTHING = 10**6  # a sample size that leaves nothing to chance
# Multiples of 64, so that torchvision's strides are mmdet's; the second image is padded.
SHAPES = ((128, 192), (128, 160))
# The last is so small that its best anchors have an IoU of 0.015. It lies apart: an anchor that
# is the best of one box but overlaps another more is mmdet's for the first, torchvision's for the
# second.
GT_BBOXES = torch.tensor(
    [[10.0, 12, 24, 50], [30, 10, 52, 44], [60, 20, 120, 100], [180, 115, 183, 120]]
)
GT_LABELS = torch.tensor([3, 0, 9, 5])


def model_cfg(arch: str):
    """The v2 config; for v1 the plain one, with what torchvision's v1 and v2 have in common."""
    v2 = Config.fromfile(CONFIGS / 'faster-rcnn_r50_fpn_v2.py').model
    if arch == V2:
        return v2
    v1 = Config.fromfile(CONFIGS / 'faster-rcnn_r50_fpn.py').model
    v1.rpn_head.anchor_generator = v2.rpn_head.anchor_generator
    v1.rpn_head.loss_bbox = v1.roi_head.bbox_head.loss_bbox = v2.rpn_head.loss_bbox
    v1.roi_head.bbox_roi_extractor = v2.roi_head.bbox_roi_extractor
    v1.train_cfg, v1.test_cfg = v2.train_cfg, v2.test_cfg
    return v1


def smooth_images() -> list[torch.Tensor]:
    noise = [torch.rand(1, 3, h // 8, w // 8) for h, w in SHAPES]
    images = [nn.functional.interpolate(x, scale_factor=8, mode='bicubic')[0] for x in noise]
    return [(image.clamp(0, 1) * 255).to(torch.uint8) for image in images]


def rescale(layer: nn.Module, outputs: torch.Tensor, std: float) -> None:
    """Give the outputs (N, C) of a layer zero mean and a standard deviation over N."""
    layer.weight *= (std / outputs.std(0)).reshape(-1, *[1] * (layer.weight.ndim - 1))
    layer.bias.copy_(-(outputs.mean(0) - layer.bias) * std / outputs.std(0))


def box_outputs(torchvision_model, features, bboxes):
    """Class logits and box deltas of torchvision's head for boxes in the first image."""
    heads = torchvision_model.roi_heads
    pooled = heads.box_roi_pool(features, [bboxes, bboxes[:0]], list(SHAPES))
    return heads.box_predictor(heads.box_head(pooled))


@torch.no_grad()
def randomise(model, batch: torch.Tensor, bboxes: torch.Tensor) -> None:
    """Make random weights behave like trained ones.

    Each batch norm gets affine parameters and statistics of its own, close enough to those of the
    data that activations neither vanish nor explode. Each output layer is scaled so that scores
    and deltas differ from place to place: with the initial weights they are nearly uniform, and
    rounding errors would decide what NMS keeps.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # a cumulative average: the statistics of the next pass
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.2)
    model.train()
    box_outputs(model, model.backbone(batch), bboxes)
    for norm in norms:
        norm.running_mean += 0.1 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
        norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.8, 1.25)
    model.eval()
    features = model.backbone(batch)
    objectness, deltas = model.rpn.head([features['0']])
    rescale(model.rpn.head.cls_logits, objectness[0].movedim(1, -1).flatten(0, -2), std=2.0)
    rescale(model.rpn.head.bbox_pred, deltas[0].movedim(1, -1).flatten(0, -2), std=0.3)
    logits, deltas = box_outputs(model, features, bboxes)
    rescale(model.roi_heads.box_predictor.cls_score, logits, std=1.0)
    rescale(model.roi_heads.box_predictor.bbox_pred, deltas, std=1.0)


@pytest.fixture(scope='module', params=ARCHS)
def pair(request):
    """Both models with the same random weights, in eval mode, and one input for both."""
    torch.manual_seed(0)
    theirs = get_model_builder(request.param)(
        weights=None,
        weights_backbone=None,
        num_classes=11,
        min_size=SHAPES[0][0],  # with max_size: no internal resize
        max_size=SHAPES[0][1],
        rpn_post_nms_top_n_train=PROPOSALS,
        rpn_post_nms_top_n_test=PROPOSALS,
        rpn_batch_size_per_image=EVERYTHING,
        box_batch_size_per_image=EVERYTHING,
    )
    images = smooth_images()
    x1y1 = torch.rand(40, 2) * torch.tensor([100.0, 60])
    bboxes = torch.cat([x1y1, x1y1 + 8 + 60 * torch.rand(40, 2)], dim=1)
    batch = theirs.transform([image / 255 for image in images])[0].tensors
    randomise(theirs, batch, bboxes)
    cfg = model_cfg(request.param)
    cfg.test_cfg.rpn.max_per_img = cfg.train_cfg.rpn_proposal.max_per_img = PROPOSALS
    cfg.train_cfg.rpn.sampler.num = cfg.train_cfg.rcnn.sampler.num = EVERYTHING
    ours = MODELS.build(cfg).eval()
    ours.load_state_dict(convert_state_dict(theirs.state_dict(), request.param), strict=True)
    return SimpleNamespace(ours=ours, theirs=theirs, images=images, batch=batch, bboxes=bboxes)


def max_diff(what: str, ours, theirs) -> float:
    """The largest absolute difference; `pytest -s` shows it."""
    assert [x.shape for x in ours] == [y.shape for y in theirs]
    largest = max((x - y).abs().max().item() for x, y in zip(ours, theirs, strict=True))
    print(f'\n{what}: largest difference {largest:.1e}', end=' ')
    return largest


def as_data(images: list[torch.Tensor]) -> dict:
    """What a pipeline of mmdet hands to the model: BGR images and samples with ground truth."""
    samples = []
    for image in images:
        shape = tuple(image.shape[1:])
        metainfo = {'img_shape': shape, 'ori_shape': shape, 'scale_factor': (1.0, 1.0)}
        sample = DetDataSample(metainfo=metainfo)
        sample.gt_instances = InstanceData(bboxes=GT_BBOXES, labels=GT_LABELS)
        samples.append(sample)
    return {'inputs': [image.flip(0) for image in images], 'data_samples': samples}


def test_preprocessed_input(pair):
    batch = pair.ours.data_preprocessor(as_data(pair.images))['inputs']
    assert max_diff('input', [batch], [pair.batch]) <= 1e-5


@torch.no_grad()
def test_features_and_rpn(pair):
    ours = pair.ours.extract_feat(pair.batch)
    theirs = list(pair.theirs.backbone(pair.batch).values())
    assert max_diff('features', ours, theirs) <= 1e-4
    our_logits, our_deltas = pair.ours.rpn_head(ours)
    their_logits, their_deltas = pair.theirs.rpn.head(theirs)
    assert max_diff('RPN logits', our_logits, their_logits) <= 1e-4
    assert max_diff('RPN deltas', our_deltas, their_deltas) <= 1e-4


@torch.no_grad()
def test_box_head(pair):
    rois = torch.cat([torch.zeros(len(pair.bboxes), 1), pair.bboxes], dim=1)
    head = pair.ours.roi_head
    pooled = head.bbox_roi_extractor(pair.ours.extract_feat(pair.batch)[:4], rois)
    scores, deltas = head.bbox_head(pooled)
    their_scores, their_deltas = box_outputs(
        pair.theirs, pair.theirs.backbone(pair.batch), pair.bboxes
    )
    assert max_diff('box logits', [scores], [their_scores.roll(-1, dims=1)]) <= 1e-4
    assert max_diff('box deltas', [deltas], [their_deltas[:, 4:]]) <= 1e-4


@torch.no_grad()
def detections(pair):
    """What each model finds in the images, both labelled 0..9."""
    theirs = pair.theirs([image / 255 for image in pair.images])
    for prediction in theirs:
        prediction['labels'] -= 1
    ours = [sample.pred_instances for sample in pair.ours.test_step(as_data(pair.images))]
    return ours, theirs


def num_shared(ours: InstanceData, theirs: dict) -> int:
    """Detections of the same class that agree within 0.5 px and 0.001 in score, one to one."""
    agree = ours.labels[:, None] == theirs['labels']
    agree &= (ours.bboxes[:, None] - theirs['boxes']).abs().amax(-1) <= 0.5
    agree &= (ours.scores[:, None] - theirs['scores']).abs() <= 1e-3
    return min(agree.any(0).sum().item(), agree.any(1).sum().item())


def test_detections(pair):
    for ours, theirs in zip(*detections(pair), strict=True):
        assert len(ours) == len(theirs['boxes']) == num_shared(ours, theirs) == 100
        assert len(ours.labels.unique()) > 5


def test_detections_need_rounded_anchors(pair, monkeypatch):
    """Half a pixel in the anchors is enough to lose parity: rounding is part of the model."""
    head = pair.ours.rpn_head
    stock = AnchorGenerator(strides=[4, 8, 16, 32, 64], ratios=[0.5, 1.0, 2.0], scales=[8])
    monkeypatch.setattr(head, 'prior_generator', stock)
    for ours, theirs in zip(*detections(pair), strict=True):
        assert num_shared(ours, theirs) < 90


@torch.no_grad()
def test_losses(pair):
    """The same targets and losses, where all anchors and all proposals are sampled."""
    image = pair.images[0]
    data = pair.ours.data_preprocessor(as_data([image]))
    ours = pair.ours.loss(data['inputs'], data['data_samples'])
    pair.theirs.train()
    for module in pair.theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    theirs = pair.theirs([image / 255], [{'boxes': GT_BBOXES, 'labels': GT_LABELS + 1}])
    pair.theirs.eval()
    names = {
        'loss_rpn_cls': 'loss_objectness',
        'loss_rpn_bbox': 'loss_rpn_box_reg',
        'loss_cls': 'loss_classifier',
        'loss_bbox': 'loss_box_reg',
    }
    for our_name, their_name in names.items():
        loss = ours[our_name]
        total = sum(loss) if isinstance(loss, list) else loss
        assert total.item() == pytest.approx(theirs[their_name].item(), rel=1e-3), our_name


def test_thresholds_and_counts_are_torchvisions_defaults():
    cfg = model_cfg(V2)
    model = get_model_builder(V2)(weights=None, weights_backbone=None, num_classes=11)
    rpn, heads = model.rpn, model.roi_heads
    train, test = cfg.train_cfg, cfg.test_cfg
    assert rpn._pre_nms_top_n == {
        'training': train.rpn_proposal.nms_pre,
        'testing': test.rpn.nms_pre,
    }
    assert rpn._post_nms_top_n == {
        'training': train.rpn_proposal.max_per_img,
        'testing': test.rpn.max_per_img,
    }
    for section in (train.rpn_proposal, test.rpn):
        assert (section.nms.iou_threshold, section.min_bbox_size) == (rpn.nms_thresh, rpn.min_size)
    for section, module in ((train.rpn, rpn), (train.rcnn, heads)):
        matcher, sampler = module.proposal_matcher, module.fg_bg_sampler
        assert section.assigner.pos_iou_thr == matcher.high_threshold
        assert section.assigner.neg_iou_thr == matcher.low_threshold
        assert section.assigner.match_low_quality == matcher.allow_low_quality_matches
        assert section.sampler.num == sampler.batch_size_per_image
        assert section.sampler.pos_fraction == sampler.positive_fraction
    assert test.rcnn.score_thr == heads.score_thresh
    assert test.rcnn.nms.iou_threshold == heads.nms_thresh
    assert test.rcnn.max_per_img == heads.detections_per_img
    stds = cfg.roi_head.bbox_head.bbox_coder.target_stds
    assert [1 / std for std in stds] == pytest.approx(heads.box_coder.weights)


def test_trainable_layers_are_torchvisions_default():
    model = MODELS.build(model_cfg(V2)).train()
    theirs = resnet_fpn_backbone(backbone_name='resnet50', weights=None, trainable_layers=3).body
    ours = {name for name, value in model.backbone.named_parameters() if value.requires_grad}
    convs = {name for name, value in theirs.named_parameters() if value.requires_grad}
    assert {name for name in ours if 'conv' in name or 'downsample.0' in name} == convs
    assert model.backbone.layer2[0].bn1.training  # nn.BatchNorm2d, trained in v2
    assert model.backbone.layer2[0].bn1.weight.requires_grad


@pytest.mark.parametrize('base_size, scales', [(32, [1]), (8, [1, 2, 4])])
def test_base_anchors(base_size, scales):
    sizes = tuple(base_size * scale for scale in scales)
    ratios = (0.5, 1.0, 2.0)
    theirs = TorchvisionAnchorGenerator((sizes,), (ratios,)).cell_anchors[0]
    ours = RoundedAnchorGenerator([4], list(ratios), scales, base_sizes=[base_size])
    assert torch.equal(ours.base_anchors[0], theirs)


@torch.no_grad()
def test_frozen_batch_norm_of_the_v1_coco_weights():
    """They are run with eps=0; in float64, where only eps can make a difference."""
    torch.manual_seed(0)
    theirs = resnet_fpn_backbone(
        backbone_name='resnet50', weights=None, norm_layer=lambda n: FrozenBatchNorm2d(n, eps=0.0)
    )
    model = get_model_builder(V1)(weights=None, weights_backbone=None, num_classes=11)
    for module in theirs.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.running_var.uniform_(1e-3, 2)
            module.weight.copy_(module.running_var.sqrt() * 0.7)
    model.backbone.load_state_dict(theirs.state_dict(), strict=False)
    cfg = model_cfg(V1)
    cfg.backbone.norm_cfg.eps = 1e-12
    ours = MODELS.build(cfg).eval().double()
    ours.load_state_dict(convert_state_dict(model.state_dict(), V1), strict=True)
    batch = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    features = list(theirs.eval().double()(batch).values())
    assert (
        max_diff('features', ours.extract_feat(batch), features) <= 1e-4 * features[0].std().item()
    )
