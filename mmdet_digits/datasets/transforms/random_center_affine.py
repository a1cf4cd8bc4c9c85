"""mmdet's random affine transform about the middle of the image."""

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets.transforms import RandomAffine
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomCenterAffine(RandomAffine):
    """mmdet's ``RandomAffine``, but rotation, scaling and shear leave the middle where it is.

    mmdet has them about the upper left corner: at 2 degrees the right edge of an image moves by
    3.5 % of its width, beside the translation that was asked for. torchvision's ``RandomAffine``
    has them about the middle, as here. Boxes move with the image: each becomes the box around its
    four moved corners, clipped to the image; the image keeps its size.

    Arguments are those of :class:`mmdet.datasets.transforms.RandomAffine`.
    """

    @cache_randomness
    def _get_random_homography_matrix(self, height: int, width: int) -> np.ndarray:
        about_corner = super()._get_random_homography_matrix(height, width)
        # OpenCV counts from the middle of the first pixel
        x, y = (width - 1) / 2, (height - 1) / 2
        to_middle = self._get_translation_matrix(x, y)
        to_corner = self._get_translation_matrix(-x, -y)
        return to_middle @ about_corner @ to_corner
