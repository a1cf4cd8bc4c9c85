"""Anchors on whole pixels, as torchvision's detectors have them."""

from mmdet.models.task_modules import AnchorGenerator
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class RoundedAnchorGenerator(AnchorGenerator):
    """mmdet's anchors with each side moved to the nearest whole pixel.

    torchvision rounds its zero-centred base anchors (``AnchorGenerator.generate_anchors``), so a
    network trained there has its box deltas relative to rounded anchors: a 32 px anchor of ratio
    0.5 is 46 x 22 px instead of 45.25 x 22.63. The smaller the anchor, the more it matters.

    One difference is left on purpose. torchvision takes ``padded image side // cells`` for the
    stride, which for the max-pooled level is not 64 where the side is no multiple of 64 (61 at
    800 px, so its last anchor is 36 px off its cell). Here each anchor stays on its cell.

    Arguments are those of :class:`mmdet.models.task_modules.AnchorGenerator`.
    """

    def gen_single_level_base_anchors(self, *args, **kwargs) -> Tensor:
        """Return the (A, 4) base anchors of one level, xyxy in whole pixels around (0, 0)."""
        return super().gen_single_level_base_anchors(*args, **kwargs).round()
