"""torchvision's kernels behind ``mmcv.ops``, beside mmcv's compiled ones or plain torch.

python benchmarks/ops.py

Both sides are called through ``mmcv.ops``, in turn, on the same boxes and features. mmcv's compiled
operators are the peer where they are installed; elsewhere it is the same in plain torch.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace
from unittest.mock import patch

import mmdet_digits.register  # noqa: F401  (before mmcv.ops)

# isort: split
import torch
from common import describe_machine, print_table, spread, time_in_turn
from mmcv.ops import batched_nms, nms, roi_align, soft_nms
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample
from torchvision.ops import box_iou

from mmdet_digits.cli import run_tool
from mmdet_digits.ops import ensure_ops, torchvision_kernels

CALLERS = [sys.modules['mmcv.ops.nms'], sys.modules['mmcv.ops.roi_align']]
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--repeats', type=int, default=15, help='calls that count')
    parser.add_argument('--boxes', type=int, default=1000, help='boxes to suppress')
    parser.add_argument('--rois', type=int, default=128, help='regions to pool')
    args = parser.parse_args()
    if ensure_ops() == 'compiled':
        peer, kernels = 'compiled mmcv', sys.modules['mmcv._ext']
    else:
        peer, kernels = 'plain torch', PLAIN_TORCH
    print(f'{describe_machine()}; {DEVICE}, {args.repeats} calls after one to warm up\n')
    rows = []
    for name, call in cases(args.boxes, args.rois).items():
        ways = {
            'ours': with_kernels(torchvision_kernels, call),
            'peer': with_kernels(kernels, call),
        }
        difference = largest_difference(ways['ours'](), ways['peer']())
        seconds = time_in_turn(ways, args.repeats)
        ours, theirs = ([1e3 * value for value in seconds[way]] for way in ways)
        ratio = statistics.median(theirs) / statistics.median(ours)
        rows.append([name, spread(ours), spread(theirs), f'{ratio:.1f}', f'{difference:.1g}'])
    header = ['operator', 'torchvision, ms', f'{peer}, ms', 'times as fast', 'largest difference']
    print_table(header, rows)


def cases(num_boxes: int, num_rois: int) -> dict[str, Callable[[], tuple[Tensor, ...]]]:
    """What is timed: digits on an image of 320 x 160 px, features of a pyramid at stride 4."""
    torch.manual_seed(0)
    corner = torch.rand(num_boxes, 2) * torch.tensor([280.0, 120.0])
    boxes = torch.cat([corner, corner + 10 + 30 * torch.rand(num_boxes, 2)], dim=1).to(DEVICE)
    scores, labels = torch.rand(num_boxes).to(DEVICE), torch.randint(10, (num_boxes,)).to(DEVICE)
    features = torch.randn(2, 256, 40, 80, device=DEVICE, requires_grad=True)
    images = torch.randint(2, (num_rois, 1)).to(boxes)
    rois = torch.cat([images, boxes[torch.arange(num_rois) % num_boxes]], dim=1)

    def pool() -> Tensor:
        return roi_align(features, rois, 7, 0.25, 2, 'avg', True)

    def pool_back() -> tuple[Tensor, ...]:
        return torch.autograd.grad(pool().square().sum(), features)

    few = slice(0, num_boxes // 5)
    one_per_class = dict(type='nms', iou_threshold=0.5)
    return {
        f'nms, {num_boxes} boxes': lambda: nms(boxes, scores, 0.7),
        f'batched_nms, {num_boxes} boxes': lambda: batched_nms(
            boxes, scores, labels, one_per_class
        ),
        f'soft_nms, {few.stop} boxes': lambda: soft_nms(boxes[few], scores[few]),
        f'roi_align, {num_rois} regions': lambda: (pool().detach(),),
        f'.. and back, {num_rois} regions': pool_back,
    }


def with_kernels(kernels, call: Callable) -> Callable:
    """The same call with other kernels behind ``mmcv.ops``."""

    def wrapped():
        with ExitStack() as stack:
            for module in CALLERS:
                stack.enter_context(patch.object(module, 'ext_module', kernels))
            return call()

    return wrapped


def largest_difference(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> float:
    """Between two results; infinite if they have other shapes."""
    if any(a.shape != b.shape for a, b in zip(ours, theirs, strict=True)):
        return float('inf')
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


def plain_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Drop each box that overlaps a better one; ``offset`` is 0."""
    order = scores.argsort(descending=True, stable=True)
    overlaps = box_iou(boxes[order], boxes[order]) > iou_threshold
    keep = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    for i in range(len(order)):
        if keep[i]:
            keep[i + 1 :] &= ~overlaps[i, i + 1 :]
    return order[keep]


def plain_softnms(boxes, scores, dets, iou_threshold, sigma, min_score, method, offset) -> Tensor:
    """Lower the scores of overlapping boxes, linearly; ``offset`` is 0."""
    scores, overlaps = scores.clone(), box_iou(boxes, boxes)
    alive, kept = torch.ones(len(scores), dtype=torch.bool), []
    while alive.any():
        best = int(scores.where(alive, -torch.inf).argmax())
        dets[len(kept)] = torch.cat([boxes[best], scores[best, None]])
        kept.append(best)
        alive[best] = False
        scores = scores * torch.where(overlaps[best] >= iou_threshold, 1 - overlaps[best], 1)
        alive &= scores >= min_score
    return torch.tensor(kept)


def plain_roi_align_forward(
    input, rois, output, argmax_y, argmax_x, aligned_height, aligned_width, **options
) -> None:
    """Pool each region by samples that torch interpolates."""
    output.copy_(pool_plainly(input, rois, aligned_height, aligned_width, **options))


def plain_roi_align_backward(
    grad_output, rois, argmax_y, argmax_x, grad_input, aligned_height, aligned_width, **options
) -> None:
    """The gradient of the above, which is linear in its input."""
    with torch.enable_grad():
        features = torch.zeros_like(grad_input, requires_grad=True)
        output = pool_plainly(features, rois, aligned_height, aligned_width, **options)
    grad_input.copy_(torch.autograd.grad(output, features, grad_output)[0])


def pool_plainly(features, rois, height, width, spatial_scale, sampling_ratio, pool_mode, aligned):
    """RoIAlign with average pooling for regions within the image, ``sampling_ratio`` above 0."""
    output = features.new_zeros(len(rois), features.shape[1], height, width)
    size = features.new_tensor([features.shape[3], features.shape[2]])
    across, down = (
        (torch.arange(cells * sampling_ratio).to(features) + 0.5) / (cells * sampling_ratio)
        for cells in (width, height)
    )
    for image, feature in enumerate(features):
        mine = rois[:, 0] == image
        x1, y1, x2, y2 = (rois[mine, 1:] * spatial_scale - 0.5 * aligned).T[..., None]
        x, y = x1 + (x2 - x1) * across, y1 + (y2 - y1) * down
        points = torch.stack(torch.broadcast_tensors(x[:, None], y[..., None]), dim=-1)
        points = ((2 * points + 1) / size - 1).flatten(0, 1)  # where grid_sample has them
        samples = grid_sample(
            feature[None], points[None], padding_mode='border', align_corners=False
        )
        cells = avg_pool2d(samples[0], sampling_ratio)
        output[mine] = cells.unflatten(1, (-1, height)).transpose(0, 1)
    return output


PLAIN_TORCH = SimpleNamespace(
    nms=plain_nms,
    softnms=plain_softnms,
    roi_align_forward=plain_roi_align_forward,
    roi_align_backward=plain_roi_align_backward,
)


if __name__ == '__main__':
    run_tool(main)
