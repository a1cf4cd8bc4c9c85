"""The operators of mmcv that torchvision's kernels can replace.

Names and arguments are those with which ``mmcv/ops/nms.py`` and ``mmcv/ops/roi_align.py`` call the
compiled module. Boxes are (x1, y1, x2, y2) in pixels.

Arithmetic is float32, or float64 where an input is: half-precision inputs are widened first (mmcv's
kernels refuse or round them), so a coordinate is never rounded here.
"""

import numpy as np
import torch
import torchvision
from torch import Tensor

AVG_POOL = 1  # mmcv's code for pool_mode='avg'; 0 is 'max'
NAIVE, LINEAR, GAUSSIAN = range(3)  # mmcv's codes for soft-NMS methods


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Drop every box whose IoU with a better-scored kept box is above the threshold.

    With ``offset=1`` a box covers the pixels x1..x2 inclusive, so its width is x2 - x1 + 1. Moving
    x2 and y2 by one gives a kernel without offset the same intersections and unions. For whole
    pixels this equals mmcv bit for bit; for others ``x2 + 1`` may round the last float32 digit.

    Args:
        boxes (Tensor): Shape (N, 4), on any device.
        scores (Tensor): Shape (N,).
        iou_threshold (float): Boxes with exactly this IoU are kept. In float32 it is rounded to
            float32 as in mmcv, where 0.1 and an IoU of 1/10 are then equal.
        offset (int): 0 or 1.

    Returns:
        Tensor: int64 indices of the kept boxes, best score first; of equal scores the lower index
        comes first (mmcv sorts them in no particular order).
    """
    dtype = _compute_dtype(boxes, scores)
    boxes = boxes.to(dtype)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    threshold = torch.tensor(iou_threshold, dtype=dtype).item()
    return torchvision.ops.nms(boxes, scores.to(dtype), threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes that overlap a better one (Bodla et al., ICCV 2017).

    Repeatedly takes the best remaining box and multiplies the other scores by 0 (naive) or 1 - IoU
    (linear) where IoU >= ``iou_threshold``, or by exp(-IoU^2 / sigma) (gaussian); scores below
    ``min_score`` leave. As in mmcv the best box of all is never dropped, and equal scores go in the
    order of its swaps. Two boxes without area do not overlap (mmcv's gaussian scores them NaN).

    Args:
        boxes (Tensor): Shape (N, 4), on the CPU like all tensors here.
        scores (Tensor): Shape (N,), not changed.
        dets (Tensor): Shape (N, 5); its first K rows are set to the kept boxes with new scores.
        iou_threshold (float): Least IoU that counts as overlap; without meaning for gaussian.
        sigma (float): Width of the gaussian.
        min_score (float): Least score that stays.
        method (int): 0 naive, 1 linear, 2 gaussian.
        offset (int): 0, or 1 if width is x2 - x1 + 1.

    Returns:
        Tensor: K int64 indices into ``boxes`` in the order of ``dets``.
    """
    dtype = _compute_dtype(boxes, scores)
    corners = boxes.detach().to(dtype).numpy()
    new_scores = scores.detach().to(dtype, copy=True).numpy()
    kept = []
    rest = np.arange(len(corners))
    while len(rest):
        best = new_scores[rest].argmax()
        kept.append(rest[best])
        rest[best] = rest[0]  # mmcv swaps the best box to the front
        rest = rest[1:]
        iou = _iou_with_one(corners[kept[-1]], corners[rest], offset)
        new_scores[rest] *= _soft_weights(iou, iou_threshold, sigma, method)
        rest = _fill_from_end(rest, new_scores[rest] >= min_score)
    inds = torch.tensor(kept, dtype=torch.int64)
    dets[: len(inds), :4] = boxes[inds]
    dets[: len(inds), 4] = torch.from_numpy(new_scores)[inds]
    return inds


def _iou_with_one(box: np.ndarray, others: np.ndarray, offset: int) -> np.ndarray:
    """Return the IoU of one box, shape (4,), with N others, shape (N, 4); 0 / 0 is 0."""
    overlap_wh = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]) + offset
    overlap = overlap_wh.clip(min=0).prod(axis=1)
    area = (box[2:] - box[:2] + offset).prod()
    areas = (others[:, 2:] - others[:, :2] + offset).prod(axis=1)
    union = area + areas - overlap
    return np.divide(overlap, union, out=np.zeros_like(union), where=union != 0)


def _soft_weights(iou: np.ndarray, iou_threshold: float, sigma: float, method: int) -> np.ndarray:
    """Return the factor of each score, shape (N,), for IoU values of shape (N,)."""
    if method == GAUSSIAN:
        return np.exp(-(iou * iou) / sigma)
    return np.where(iou >= iou_threshold, 0 if method == NAIVE else 1 - iou, 1)


def _fill_from_end(items: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return the K alive ones of N items; each gap among the first K takes the last one left.

    This is the order that mmcv's loop leaves, which decides between equal scores.
    """
    count = alive.sum()
    front = items[:count].copy()
    front[~alive[:count]] = items[count:][alive[count:]][::-1]
    return front


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool each region of interest to a fixed grid (RoIAlign, He et al., ICCV 2017).

    A region of negative size gives zeros, as in mmcv's CUDA kernel (its CPU kernel fails).

    Args:
        input (Tensor): Feature map, shape (B, C, H, W).
        rois (Tensor): Shape (K, 5): image index in the batch, then the box in image pixels.
        output (Tensor): Shape (K, C, aligned_height, aligned_width); is written.
        argmax_y (Tensor): Unused: only maximum pooling needs it.
        argmax_x (Tensor): Unused likewise.
        aligned_height (int): Rows of the grid.
        aligned_width (int): Columns of the grid.
        spatial_scale (float): Feature map pixels per image pixel.
        sampling_ratio (int): Samples per cell and axis; 0 takes as many as the cell has pixels.
        pool_mode (int): 1 averages the samples.
        aligned (bool): Shift by half a pixel, so that pixel centres have coordinates k + 0.5.

    Raises:
        NotImplementedError: If ``pool_mode`` is not 1.
    """
    _require_avg(pool_mode)
    dtype = _compute_dtype(input, rois)
    pooled = torch.ops.torchvision.roi_align(
        input.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        sampling_ratio,
        aligned,
    )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of :func:`roi_align_forward` for its ``input`` into ``grad_input``.

    On CUDA the sum is not deterministic, and torch raises if deterministic algorithms are demanded.

    Args:
        grad_output (Tensor): Shape (K, C, aligned_height, aligned_width).
        rois (Tensor): As in the forward pass, like all the arguments that are not named here.
        argmax_y (Tensor): Unused.
        argmax_x (Tensor): Unused.
        grad_input (Tensor): Shape (B, C, H, W); is written.
        aligned_height (int): Rows of the grid.
        aligned_width (int): Columns of the grid.
        spatial_scale (float): Feature map pixels per image pixel.
        sampling_ratio (int): Samples per cell and axis, or 0.
        pool_mode (int): 1 averages the samples.
        aligned (bool): Shift by half a pixel.

    Raises:
        NotImplementedError: If ``pool_mode`` is not 1.
    """
    _require_avg(pool_mode)
    dtype = _compute_dtype(grad_output, rois)
    grad = torch.ops.torchvision._roi_align_backward(
        grad_output.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.copy_(grad)


def _compute_dtype(first: Tensor, second: Tensor) -> torch.dtype:
    """Return float64 if one of the tensors is float64, else float32."""
    return torch.promote_types(torch.promote_types(first.dtype, second.dtype), torch.float32)


def _require_avg(pool_mode: int) -> None:
    if pool_mode != AVG_POOL:
        raise NotImplementedError(
            "RoIAlign with pool_mode='max' needs an mmcv with compiled operators; torchvision's "
            "kernel only averages. Use pool_mode='avg'."
        )
