"""One pass of a detector through backbone and neck for both its predictions and its losses."""

import torch
from mmdet.models import RPNHead, SingleStageDetector, TwoStageDetector
from mmdet.models.detectors.base import BaseDetector
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor


def predict_with_loss(
    model: BaseDetector, batch: dict, share_proposals: bool = True
) -> tuple[list[DetDataSample], dict]:
    """Predict a batch and compute its losses.

    The predictions are those of ``model.predict``. The losses are those of ``model.loss``, which
    samples anchors and RoIs with torch's random generator, as in training.

    Args:
        model: a detector in eval mode. One that mmdet runs neither as a ``TwoStageDetector`` with
            an ``RPNHead`` nor as a ``SingleStageDetector`` takes a pass each.
        batch: what the data loader of a validation set gives: the ground truth of its samples is
            in pixels of the original image, as metrics need it.
        share_proposals: whether RoIs are sampled from the proposals of the prediction
            (``test_cfg.rpn``) or from as many as in training (``train_cfg.rpn_proposal``), which
            have to be made in addition.

    Returns:
        The samples with ``pred_instances``, and the losses as ``model.parse_losses`` names them:
        ``loss`` is their sum.
    """
    data = model.data_preprocessor(batch, False)
    inputs, samples = data['inputs'], data['data_samples']
    targets = [scale_ground_truth(sample) for sample in samples]
    if runs_as(TwoStageDetector, model) and isinstance(model.rpn_head, RPNHead):
        feats = model.extract_feat(inputs)
        results, losses = two_stage_heads(model, feats, samples, targets, share_proposals)
        predictions = model.add_pred_to_datasample(samples, results)
    elif runs_as(SingleStageDetector, model):
        feats = model.extract_feat(inputs)
        results = model.bbox_head.predict(feats, samples, rescale=True)
        losses = model.bbox_head.loss(feats, targets)
        predictions = model.add_pred_to_datasample(samples, results)
    else:
        predictions, losses = model.predict(inputs, samples), model.loss(inputs, targets)
    for prediction in predictions:
        found = prediction.pred_instances
        found.bboxes, found.scores = found.bboxes.float(), found.scores.float()  # for numpy
    return predictions, dict(model.parse_losses(losses)[1])


def runs_as(kind: type[BaseDetector], model: BaseDetector) -> bool:
    """Whether a detector predicts and computes losses by the methods of a class of mmdet."""
    return type(model).predict is kind.predict and type(model).loss is kind.loss


def two_stage_heads(
    model: TwoStageDetector,
    feats: tuple[Tensor, ...],
    samples: list[DetDataSample],
    targets: list[DetDataSample],
    share_proposals: bool,
) -> tuple[list[InstanceData], dict]:
    """What ``TwoStageDetector.predict`` and ``.loss`` do with features, the RPN computed once.

    Args:
        model: the detector.
        feats: of the batch, one tensor (N, C, H, W) per level.
        samples: of the batch.
        targets: the same with ground truth in pixels of the network's input.
        share_proposals: see :func:`predict_with_loss`.

    Returns:
        The detections of each image, in pixels of the original one, and the losses.
    """
    instances, ignored, metas = unpack_gt_instances(targets)
    objects = [
        InstanceData(bboxes=truth.bboxes, labels=torch.zeros_like(truth.labels))
        for truth in instances
    ]
    outputs = model.rpn_head(feats)
    proposals = model.rpn_head.predict_by_feat(*outputs, batch_img_metas=metas)
    results = model.roi_head.predict(feats, proposals, samples, rescale=True)
    if not share_proposals:
        cfg = model.train_cfg.get('rpn_proposal', model.test_cfg.rpn)
        proposals = model.rpn_head.predict_by_feat(*outputs, batch_img_metas=metas, cfg=cfg)
    losses = model.rpn_head.loss_by_feat(*outputs, objects, metas, ignored)
    return results, losses | model.roi_head.loss(feats, proposals, targets)


def scale_ground_truth(sample: DetDataSample) -> DetDataSample:
    """A copy of a sample with its ground truth in pixels of the network's input.

    The boxes are scaled and clipped to the image, as ``Resize`` does it with those to train on.

    Args:
        sample: with ``scale_factor`` (w, h), ``img_shape`` (h, w) and boxes (N, 4), xyxy in pixels
            of the original image.
    """
    height, width = sample.img_shape
    scaled = DetDataSample(metainfo=sample.metainfo)
    for name in ('gt_instances', 'ignored_instances'):
        if name in sample:
            instances = sample.get(name).clone()
            bboxes = instances.bboxes * instances.bboxes.new_tensor(sample.scale_factor).repeat(2)
            limits = bboxes.new_tensor([width, height]).repeat(2)
            instances.bboxes = bboxes.clamp(min=0).minimum(limits)
            setattr(scaled, name, instances)
    return scaled
