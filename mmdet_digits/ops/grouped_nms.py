"""Non-maximum suppression of many groups of boxes at once, as ONNX has it."""

import torch
from mmcv.ops import nms
from torch import Tensor

OPSET = 11  # the first whose NonMaxSuppression this is


@torch.library.custom_op('mmdet_digits::grouped_nms', mutates_args=())
def grouped_nms(boxes: Tensor, scores: Tensor, iou_thr: float, score_thr: float) -> Tensor:
    """Suppress boxes that overlap a better one of their group; in ONNX this is one operator.

    Args:
        boxes (Tensor): Shape (G, N, 4), (x1, y1, x2, y2).
        scores (Tensor): Shape (G, N).
        iou_thr (float): Boxes with a greater IoU with a better box are dropped.
        score_thr (float): Boxes that do not score more are dropped.

    Returns:
        Tensor: (K, 3) int64: group, 0 and index of each box kept, by group and falling score.
    """
    kept = []
    for group in range(boxes.shape[0]):
        index = (scores[group] > score_thr).nonzero()[:, 0]
        index = index[nms(boxes[group, index], scores[group, index], iou_thr)[1]]
        zeros = torch.zeros_like(index)
        kept.append(torch.stack([zeros + group, zeros, index], dim=1))
    return torch.cat(kept)


@torch.onnx.symbolic_helper.parse_args('v', 'v', 'f', 'f')
def _as_onnx(graph, boxes, scores, iou_thr: float, score_thr: float):
    """ONNX's own operator; a group is one of its images, with one class."""
    constants = (
        torch.tensor([torch.iinfo(torch.int64).max]),  # no limit to the boxes kept
        torch.tensor([iou_thr]),
        torch.tensor([score_thr]),
    )
    constants = [graph.op('Constant', value_t=value) for value in constants]
    scores = torch.onnx.symbolic_helper._unsqueeze_helper(graph, scores, [1])
    return graph.op('NonMaxSuppression', boxes, scores, *constants)


torch.onnx.register_custom_op_symbolic('mmdet_digits::grouped_nms', _as_onnx, OPSET)
