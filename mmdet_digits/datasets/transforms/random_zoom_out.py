"""Images as parts of wider scenes, for detectors that will meet looser crops."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes, autocast_box_type

from mmdet_digits.synthetic.wider_scenes import widen


@TRANSFORMS.register_module()
class RandomZoomOut(BaseTransform):
    """Put an image into a wider scene, as :func:`mmdet_digits.synthetic.wider_scenes.widen` does.

    mmdet's ``Expand`` fills with one colour, and a detector learns that digits lie in rectangles.

    Reads and changes ``img``, a (H, W, 3) uint8 BGR array, ``img_shape`` and ``gt_bboxes``.

    Args:
        share: least and largest height of the image as a share of the scene's height, at most 1.
        prob: how often an image is put into a scene.
        longest: the longest side of a scene in pixels; a larger one is reduced.
    """

    def __init__(
        self, share: tuple[float, float] = (0.35, 1.0), prob: float = 0.8, longest: int = 640
    ) -> None:
        self.share, self.prob, self.longest = tuple(share), prob, longest

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Draw from NumPy's global generator, as all augmentation does."""
        if np.random.random() >= self.prob:
            return results
        rng = np.random.default_rng(np.random.randint(2**32, size=4, dtype=np.uint32))
        bboxes = results['gt_bboxes'].numpy().astype(float)
        results['img'], bboxes = widen(results['img'], bboxes, rng, self.share, self.longest)
        results['img_shape'] = results['img'].shape[:2]
        results['gt_bboxes'] = HorizontalBoxes(bboxes.astype(np.float32).reshape(-1, 4))
        return results

    def __repr__(self) -> str:
        return f'RandomZoomOut(share={self.share}, prob={self.prob}, longest={self.longest})'
