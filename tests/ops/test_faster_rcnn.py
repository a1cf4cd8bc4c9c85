"""mmdet's Faster R-CNN runs on the replaced operators, training and inference."""

import mmdet.models  # noqa: F401
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.hub import get_config
from mmengine.structures import InstanceData


def faster_rcnn(use_torchvision):
    config = get_config('mmdet::_base_/models/faster-rcnn_r50_fpn.py').model
    config.backbone.update(depth=18, init_cfg=None)
    config.neck.in_channels = [64, 128, 256, 512]
    config.roi_head.bbox_head.update(num_classes=10, fc_out_channels=64)
    config.roi_head.bbox_roi_extractor.roi_layer.use_torchvision = use_torchvision
    config.train_cfg.rpn_proposal.max_per_img = config.test_cfg.rpn.max_per_img = 60
    config.test_cfg.rcnn.score_thr = 0.0
    torch.manual_seed(0)
    return MODELS.build({**config, '_scope_': 'mmdet'})


def one_batch():
    torch.manual_seed(1)
    sample = DetDataSample(metainfo={'img_shape': (64, 96), 'scale_factor': (1, 1)})
    sample.set_metainfo(
        {'ori_shape': (64, 96), 'pad_shape': (64, 96), 'batch_input_shape': (64, 96)}
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 10, 30, 50], [40, 12, 58, 51]]), labels=torch.tensor([3, 7])
    )
    return torch.randn(1, 3, 64, 96), [sample]


@pytest.fixture(scope='module')
def runs():
    """Return losses, a gradient and predictions, first from mmcv's route, then torchvision's."""
    results = []
    for use_torchvision in (False, True):
        model = faster_rcnn(use_torchvision)
        torch.manual_seed(2)  # the samplers draw
        losses = model.loss(*one_batch())
        total, losses = model.parse_losses(losses)
        total.backward()
        model.eval()
        with torch.no_grad():
            (prediction,) = model.predict(*one_batch())
        gradient = model.neck.lateral_convs[0].conv.weight.grad
        results.append((losses, gradient, prediction.pred_instances))
    return results


def test_losses_are_finite_and_reach_the_neck(runs):
    losses, gradient, _ = runs[0]
    assert all(torch.isfinite(value) for value in losses.values())
    assert gradient.abs().sum() > 0


def test_predictions_are_sorted_and_separate(runs):
    found = runs[0][2]
    assert len(found) > 0
    assert (found.scores.diff() <= 0).all()


def test_both_roi_align_routes_agree(runs):
    (losses, gradient, found), (other_losses, other_gradient, other_found) = runs
    torch.testing.assert_close(losses, other_losses)
    torch.testing.assert_close(gradient, other_gradient)
    torch.testing.assert_close(found.bboxes, other_found.bboxes)
    assert torch.equal(found.labels, other_found.labels)
