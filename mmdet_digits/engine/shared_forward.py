"""One pass of a detector for both its losses and its predictions."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from mmdet.models.detectors.base import BaseDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn


def predict_with_loss(
    model: BaseDetector, batch: dict, share_proposals: bool = True
) -> tuple[list[DetDataSample], dict]:
    """Predict a batch and compute its losses, with one pass through backbone and neck.

    The losses are those of ``model.loss``; it samples anchors and RoIs with torch's random
    generator, as in training.

    Args:
        model: a detector in eval mode, in which each RoI is computed for itself.
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
    with shared_forward(model, share_proposals):
        predictions = model.predict(inputs, samples)
        losses = model.loss(inputs, targets)
    for prediction in predictions:
        found = prediction.pred_instances
        found.bboxes, found.scores = found.bboxes.float(), found.scores.float()  # for numpy
    return predictions, dict(model.parse_losses(losses)[1])


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


@contextmanager
def shared_forward(model: BaseDetector, share_proposals: bool) -> Iterator[None]:
    """Within, nothing that both predictions and losses need is computed twice.

    For one batch, with the model in eval mode: features, the outputs of the RPN, and the outputs
    of the box head for each RoI.

    Args:
        model: the detector.
        share_proposals: whether proposals are those that are asked for first.
    """
    with ExitStack() as stack:
        stack.enter_context(replaced(model, 'extract_feat', Once(model.extract_feat)))
        head = getattr(model, 'rpn_head', None)
        if head is not None:
            stack.enter_context(replaced(head, 'forward', Once(head.forward)))
            if share_proposals:
                proposals = SameProposals(head.predict_by_feat)
                stack.enter_context(replaced(head, 'predict_by_feat', proposals))
        head = getattr(model, 'roi_head', None)
        if isinstance(head, StandardRoIHead) and not head.with_mask:
            stack.enter_context(replaced(head, '_bbox_forward', OncePerRoI(head._bbox_forward)))
        yield


@contextmanager
def replaced(module: nn.Module, name: str, function) -> Iterator[None]:
    """Within, ``module`` has another method of this name."""
    setattr(module, name, function)
    try:
        yield
    finally:
        delattr(module, name)


class Once:
    """A function of one batch that is computed the first time it is called."""

    def __init__(self, function) -> None:
        self.function = function
        self.result = None

    def __call__(self, argument):
        """Return the result for ``argument``, which must be the same object each time."""
        if self.result is None:
            self.argument, self.result = argument, self.function(argument)
        assert argument is self.argument, 'shared_forward is for one batch'
        return self.result


class SameProposals:
    """The RPN's proposals, whatever is asked for after the first time."""

    def __init__(self, function) -> None:
        self.function = function
        self.proposals = None

    def __call__(self, *outputs, **kwargs) -> list[InstanceData]:
        """Return copies, for mmdet renames the boxes."""
        if self.proposals is None:
            self.proposals = self.function(*outputs, **kwargs)
        return [proposals.clone() for proposals in self.proposals]


class OncePerRoI:
    """The box head's outputs, each RoI computed the first time it is asked for."""

    def __init__(self, function) -> None:
        self.function = function
        self.rois = None

    def __call__(self, feats: tuple[Tensor, ...], rois: Tensor) -> dict[str, Tensor]:
        """Return ``cls_score`` and ``bbox_pred`` of RoIs (N, 5)."""
        if self.rois is None:
            self.rois, self.outputs = rois, self.function(feats, rois)
            return self.outputs
        index = find_rows(rois, self.rois)
        new = index < 0
        names = ('cls_score', 'bbox_pred')
        rows = {name: self.outputs[name][index.clamp(min=0)] for name in names}
        if new.any():
            outputs = self.function(feats, rois[new])
            for name in names:
                rows[name][new] = outputs[name]
        return rows


def find_rows(rows: Tensor, table: Tensor) -> Tensor:
    """Where each row is in a table: its index, or -1 where it is not.

    Args:
        rows: (N, C).
        table: (M, C).

    Returns:
        (N,) indices into the table.
    """
    _, ids = torch.unique(torch.cat([table, rows]), dim=0, return_inverse=True)
    index = ids.new_full((len(ids),), -1)
    index[ids[: len(table)]] = torch.arange(len(table), device=ids.device)
    return index[ids[len(table) :]]
