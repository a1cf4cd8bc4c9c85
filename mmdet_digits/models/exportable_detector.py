"""A two-stage detector as one function of tensors, so that it can be exported."""

from collections.abc import Iterator

import torch
from mmcv.ops import RoIAlign
from mmdet.models import RPNHead, SingleRoIExtractor, StandardRoIHead, TwoStageDetector
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.ops import roi_align

from mmdet_digits.errors import InputError
from mmdet_digits.models.float32_roi_extractor import PortableRoIAlign
from mmdet_digits.ops.grouped_nms import grouped_nms

REJECTED = -1.0  # the score of a box that does not count; real ones are 0 to 1


class ExportableDetector(nn.Module):
    """Faster R-CNN from pixels to boxes, for any batch, height and width.

    mmdet's own ``predict`` goes image by image through Python lists, of which a trace would record
    the lengths of its example. This module calls the same layers, anchors and box coders, and does
    what is in between with tensors of fixed rank: a box that is dropped keeps its place and gets
    the score ``REJECTED``. It finds what ``model.predict(..., rescale=False)`` finds.

    Args:
        model: a two-stage detector of mmdet, in eval mode.

    Raises:
        InputError: the model has a part that this module does not know.
    """

    def __init__(self, model: TwoStageDetector) -> None:
        super().__init__()
        require_exportable(model)
        self.model = model

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Detect.

        Args:
            images: (B, 3, H, W) uint8 pixels in the order of channels in which the data pipeline
                loads them (BGR), not normalised, each image in the top left corner of its canvas.
            sizes: (B, 2) int64 height and width of each image on it; boxes end there.

        Returns:
            Of the D detections, sorted by image and falling score: ``bboxes`` (D, 4) xyxy in pixels
            of ``images``, ``labels`` (D,) int64, ``scores`` (D,), ``image_index`` (D,) int64.
        """
        limits = sizes.flip(1).repeat(1, 2).float()  # (B, 4): where x1, y1, x2, y2 end
        feats = self.model.extract_feat(self.preprocess(images))
        boxes, scores = self.propose(feats, limits)
        boxes, scores, labels = self.classify(feats, boxes, scores, limits)
        image, slot = places(scores)
        return boxes[image, slot], labels[image, slot], scores[image, slot], image

    def preprocess(self, images: Tensor) -> Tensor:
        """Normalise and pad as the model's ``data_preprocessor`` does; (B, 3, H', W') float."""
        settings = self.model.data_preprocessor
        if settings._channel_conversion:
            images = images.flip(1)
        pixels = (images.float() - settings.mean) / settings.std
        height, width = images.shape[-2:]
        divisor = settings.pad_size_divisor
        return pad(
            pixels,
            (0, -width % divisor, 0, -height % divisor),
            value=float(settings.pad_value),
        )

    def propose(self, feats: tuple[Tensor, ...], limits: Tensor) -> tuple[Tensor, Tensor]:
        """The RPN's best boxes (B, P, 4) and their scores (B, P), ``REJECTED`` where it has fewer.

        Args:
            feats: the pyramid.
            limits: (B, 4) width, height, width, height of each image.
        """
        head, cfg = self.model.rpn_head, self.model.test_cfg.rpn
        logits, deltas = head(feats)
        shapes = [level.shape[-2:] for level in logits]
        priors = head.prior_generator.grid_priors(shapes, device=limits.device)
        levels = zip(logits, deltas, priors, strict=True)
        proposals = [self._propose_level(*level, limits) for level in levels]
        boxes, scores = (torch.cat(parts, dim=1) for parts in zip(*proposals, strict=True))
        scores, best = top(scores, cfg.max_per_img)
        return gather_boxes(boxes, best), scores

    def _propose_level(
        self, logits: Tensor, deltas: Tensor, priors: Tensor, limits: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Boxes (B, K, 4) and scores (B, K) of one level of the pyramid, after its own NMS."""
        head, cfg = self.model.rpn_head, self.model.test_cfg.rpn
        batch = logits.shape[0]
        scores = logits.permute(0, 2, 3, 1).reshape(batch, -1).sigmoid()
        deltas = deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4)
        scores, best = top(scores, cfg.nms_pre)
        priors, deltas = priors[best].reshape(-1, 4), gather_boxes(deltas, best).reshape(-1, 4)
        boxes = head.bbox_coder.decode(priors, deltas).reshape(batch, -1, 4)
        boxes = clip(boxes, limits[:, None])
        least = cfg.get('min_bbox_size', -1)
        if least >= 0:
            large = (boxes[..., 2:] - boxes[..., :2] > least).all(dim=-1)
            scores = torch.where(large, scores, torch.full_like(scores, REJECTED))
        return boxes, suppress(boxes, scores, cfg.nms.iou_threshold)

    def classify(
        self, feats: tuple[Tensor, ...], boxes: Tensor, scores: Tensor, limits: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The best boxes (B, D, 4), scores and labels (B, D) of the second stage.

        Args:
            feats: the pyramid.
            boxes: (B, P, 4) proposals.
            scores: (B, P) their scores; those ``REJECTED`` are not computed.
            limits: (B, 4) width, height, width, height of each image.
        """
        cfg, (batch, count) = self.model.test_cfg.rcnn, scores.shape
        image, slot = places(scores)
        rois = boxes[image, slot]
        indexed = torch.cat([image[:, None].to(rois), rois], dim=1)
        found_scores, found_boxes = self._classify_rois(self.pool(feats, indexed), rois)
        classes = found_scores.shape[1]
        scores = scores.new_full((batch, count, classes), REJECTED)
        boxes = boxes.new_zeros((batch, count, classes, 4))
        scores[image, slot] = found_scores
        boxes[image, slot] = clip(found_boxes, limits[image][:, None])

        of_class = boxes.transpose(1, 2).reshape(-1, count, 4)  # each class of each image by itself
        scores = scores.transpose(1, 2).reshape(-1, count)
        scores = suppress(of_class, scores, cfg.nms.iou_threshold, cfg.score_thr)
        scores = scores.reshape(batch, classes, count).transpose(1, 2).reshape(batch, -1)
        scores, best = top(scores, cfg.max_per_img)
        return gather_boxes(boxes.reshape(batch, -1, 4), best), scores, best % classes

    def _classify_rois(self, pooled: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (K, C) and boxes (K, C, 4) of RoIs (K, 4), for each class but the background."""
        head = self.model.roi_head.bbox_head
        logits, deltas = head(pooled)
        deltas = deltas.reshape(-1, 1 if head.reg_class_agnostic else head.num_classes, 4)
        rois = rois[:, None].expand_as(deltas)
        boxes = head.bbox_coder.decode(rois.reshape(-1, 4), deltas.reshape(-1, 4))
        boxes = boxes.reshape(deltas.shape).expand(-1, head.num_classes, -1)
        return logits.softmax(dim=-1)[:, : head.num_classes], boxes

    def pool(self, feats: tuple[Tensor, ...], rois: Tensor) -> Tensor:
        """The features (K, C, S, S) of RoIs (K, 5), each from its level of the pyramid."""
        extractor = self.model.roi_head.bbox_roi_extractor
        levels = extractor.map_roi_levels(rois, extractor.num_inputs)
        pooled, rows = [], []
        for level, layer in enumerate(extractor.roi_layers):
            rows.append((levels == level).nonzero()[:, 0])
            pooled.append(
                roi_align(
                    feats[level],
                    rois[rows[-1]],
                    layer.output_size,
                    layer.spatial_scale,
                    layer.sampling_ratio,
                    layer.aligned,
                )
            )
        return torch.cat(pooled)[torch.cat(rows).argsort()]


def suppress(boxes: Tensor, scores: Tensor, iou_thr: float, score_thr: float = REJECTED) -> Tensor:
    """The scores (G, N), ``REJECTED`` for boxes that score no more or overlap a better one."""
    group, _, index = grouped_nms(boxes, scores, iou_thr, score_thr).unbind(1)
    flat, place = scores.flatten(), group * scores.shape[1] + index
    # scatter, not kept[group, index] = ...: onnxruntime 1.32 optimises that export into a wrong one
    return torch.full_like(flat, REJECTED).scatter(0, place, flat[place]).view_as(scores)


def top(scores: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """The ``limit`` best scores of each row of (B, N) and their indices; all, if it is not > 0."""
    count = torch._shape_as_tensor(scores)[1]  # a number that a trace does not freeze
    return scores.topk(torch.minimum(count, torch.tensor(limit)) if limit > 0 else count)


def places(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of each score that is not ``REJECTED``."""
    return (scores > REJECTED).nonzero().unbind(1)


def gather_boxes(boxes: Tensor, index: Tensor) -> Tensor:
    """Of (B, N, 4) those that an index (B, K) names in each row: (B, K, 4)."""
    return boxes.gather(1, index[..., None].expand(-1, -1, 4))


def clip(boxes: Tensor, limits: Tensor) -> Tensor:
    """Boxes (..., 4) that end at 0 and at the limits, which broadcast with them."""
    return boxes.clamp(min=0).minimum(limits)


def require_exportable(model: nn.Module) -> None:
    """Check that a model has no part that :class:`ExportableDetector` does not know.

    Raises:
        InputError: it has one.
    """
    found = next(unknown_parts(model), None)
    if found:
        raise InputError(
            'This detector cannot be exported.',
            found,
            "Faster R-CNN of mmdet's RPNHead and StandardRoIHead, with plain NMS",
            'export one of the recipes in configs/digits/',
        )


def unknown_parts(model: nn.Module) -> Iterator[str]:
    """Yield what of a model cannot be exported, in words."""
    if not isinstance(model, TwoStageDetector):
        yield f'model.type={type(model).__name__}'
        return
    if not model.data_preprocessor._enable_normalize:
        yield 'model.data_preprocessor without mean and std'
    rpn, roi = model.rpn_head, model.roi_head
    extractor = getattr(roi, 'bbox_roi_extractor', None)
    if type(rpn) is not RPNHead or not rpn.use_sigmoid_cls:
        yield f'model.rpn_head.type={type(rpn).__name__}'
    if type(roi) is not StandardRoIHead or roi.with_mask or roi.with_shared_head:
        yield f'model.roi_head.type={type(roi).__name__}'
    elif not isinstance(extractor, SingleRoIExtractor):
        yield f'model.roi_head.bbox_roi_extractor.type={type(extractor).__name__}'
    elif not all(is_average_roi_align(layer) for layer in extractor.roi_layers):
        yield f'model.roi_head.bbox_roi_extractor.roi_layer={extractor.roi_layers[0]}'
    elif roi.bbox_head.custom_cls_channels or not roi.bbox_head.with_reg:
        yield f'model.roi_head.bbox_head.type={type(roi.bbox_head).__name__}'
    for name, head in (('rpn_head', rpn), ('roi_head.bbox_head', getattr(roi, 'bbox_head', None))):
        coder = getattr(head, 'bbox_coder', None)
        if type(coder) is not DeltaXYWHBBoxCoder or not coder.clip_border:
            yield f'model.{name}.bbox_coder={coder}'
    for name in ('rpn', 'rcnn'):
        settings = model.test_cfg[name].nms
        if settings.get('type', 'nms') != 'nms' or set(settings) - {'type', 'iou_threshold'}:
            yield f'model.test_cfg.{name}.nms={dict(settings)}'


def is_average_roi_align(layer: nn.Module) -> bool:
    """Whether a RoI layer is one that ONNX has."""
    return type(layer) in (RoIAlign, PortableRoIAlign) and layer.pool_mode == 'avg'
