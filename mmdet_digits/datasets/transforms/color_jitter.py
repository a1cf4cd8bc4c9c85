"""torchvision's colour jitter in a pipeline of mmdet."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Change brightness, contrast, saturation and hue, in random order.

    torchvision's own ``ColorJitter``, fed in RGB. mmdet's ``PhotoMetricDistortion`` is another
    augmentation: each change happens with probability 0.5, brightness is added, not multiplied,
    contrast pulls towards black instead of the mean, and the result is not clipped to 0..255.

    Reads and changes ``img``, a (H, W, 3) uint8 BGR array.

    Args:
        brightness: factors are drawn from ``[max(0, 1 - brightness), 1 + brightness]``, or from
            this range if it is a pair.
        contrast: as ``brightness``.
        saturation: as ``brightness``.
        hue: shifts are drawn from ``[-hue, hue]``, in turns of the colour circle; or a range.
    """

    def __init__(self, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0) -> None:
        from torchvision.transforms import v2  # takes long to import

        self.jitter = v2.ColorJitter(brightness, contrast, saturation, hue)

    def transform(self, results: dict) -> dict:
        """Jitter ``results['img']``."""
        rgb = torch.from_numpy(np.ascontiguousarray(results['img'][..., ::-1].transpose(2, 0, 1)))
        jittered = self.jitter(rgb).numpy()
        results['img'] = np.ascontiguousarray(jittered.transpose(1, 2, 0)[..., ::-1])
        return results

    def __repr__(self) -> str:
        return repr(self.jitter)
