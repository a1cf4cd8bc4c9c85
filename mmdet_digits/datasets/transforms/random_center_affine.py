"""mmdet's random affine transform about the middle of the image."""

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets.transforms import RandomAffine
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type


@TRANSFORMS.register_module()
class RandomCenterAffine(RandomAffine):
    """mmdet's ``RandomAffine``, but rotation, scaling and shear leave the middle where it is.

    mmdet has them about the upper left corner: at 2 degrees the right edge of an image moves by
    3.5 % of its width, beside the translation that was asked for. torchvision's ``RandomAffine``
    has them about the middle, as here. Boxes move with the image: each becomes the box around its
    four moved corners, clipped to the image; the image keeps its size.

    Boxes count from the edge of the first pixel, OpenCV from its middle: the same move is another
    matrix for each. mmdet uses one for both, so that boxes lie 0.1 px off at a scale of 0.8.

    Args:
        *args: those of :class:`mmdet.datasets.transforms.RandomAffine`.
        bbox_outside_thr: a box of which this share lies outside of the image is removed, as
            :class:`RandomAreaErasing` does where it is erased: nobody could tell its class any
            more. What is left of the digit counts as background.
        **kwargs: those of :class:`mmdet.datasets.transforms.RandomAffine`.
    """

    def __init__(self, *args, bbox_outside_thr: float = 0.7, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.bbox_outside_thr = bbox_outside_thr

    @cache_randomness
    def _get_random_homography_matrix(self, height: int, width: int) -> np.ndarray:
        about_corner = super()._get_random_homography_matrix(height, width)
        return self._seen_from(width / 2, height / 2, about_corner)

    def _seen_from(self, x: float, y: float, matrix: np.ndarray) -> np.ndarray:
        """The same move where (x, y) is what (0, 0) was."""
        there, back = (self._get_translation_matrix(s * x, s * y) for s in (1, -1))
        return there @ matrix @ back

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Move the image and its boxes."""
        height, width = np.add(results['img'].shape[:2], np.multiply(self.border[::-1], 2)).tolist()
        matrix = self._get_random_homography_matrix(height, width)
        results['img'] = cv2.warpPerspective(
            results['img'],
            self._seen_from(-0.5, -0.5, matrix),
            dsize=(width, height),
            borderValue=self.border_val,
        )
        results['img_shape'] = (height, width)
        boxes = results['gt_bboxes']
        boxes.project_(matrix)
        inside = boxes.clone()
        inside.clip_([height, width])
        kept = (inside.areas > (1 - self.bbox_outside_thr) * boxes.areas).numpy()
        results['gt_bboxes'] = (inside if self.bbox_clip_border else boxes)[kept]
        for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
            results[key] = results[key][kept]
        return results
