"""mmdet's random erasing with torchvision's choice of the rectangle."""

import numpy as np
import torch
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets.transforms import RandomErasing
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomAreaErasing(RandomErasing):
    """Erase one rectangle of an image, and the boxes of the digits that are erased with it.

    The rectangle is torchvision's: its area and its aspect ratio are drawn. mmdet's own
    ``RandomErasing`` draws both sides as shares of the image's, so at a share of 0.5 it erases the
    same part of a wide and of a high image.

    Args:
        prob: how likely it is to erase at all.
        scale: range of the erased share of the image's area.
        ratio: range of the rectangle's height / width.
        bbox_erased_thr: a box of which this share is erased is removed: nobody could tell its
            class any more.
        fill: BGR value of the erased pixels; the default is ImageNet's mean, which is 0 after
            normalisation.
    """

    def __init__(
        self,
        prob: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        bbox_erased_thr: float = 0.7,
        fill: tuple[int, int, int] = (104, 116, 124),
    ) -> None:
        from torchvision.transforms import v2  # takes long to import

        super().__init__(
            n_patches=1, ratio=0.0, bbox_erased_thr=bbox_erased_thr, img_border_value=fill
        )
        self.prob = prob
        self.rectangle = v2.RandomErasing(scale=tuple(scale), ratio=tuple(ratio))

    @cache_randomness
    def _get_patches(self, img_shape: tuple[int, int]) -> np.ndarray:
        """The rectangle as (1, 4) xyxy, or (0, 4) if nothing is erased."""
        if torch.rand(()) >= self.prob:
            return np.zeros((0, 4), dtype=int)
        drawn = self.rectangle.make_params([torch.empty((3, *img_shape), device='meta')])
        if drawn['v'] is None:  # no rectangle of that shape fits into so narrow an image
            return np.zeros((0, 4), dtype=int)
        x, y = drawn['j'], drawn['i']
        return np.array([[x, y, x + drawn['w'], y + drawn['h']]])

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, scale={self.rectangle.scale}, '
            f'ratio={self.rectangle.ratio}, bbox_erased_thr={self.bbox_erased_thr})'
        )
