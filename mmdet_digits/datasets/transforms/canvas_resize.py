"""Every image at one size: fitted into a canvas, the rest filled."""

from mmcv.image import impad
from mmdet.datasets.transforms import Resize
from mmdet.registry import TRANSFORMS

from mmdet_digits.canvas import FILLING, fitted_size


@TRANSFORMS.register_module()
class CanvasResize(Resize):
    """Fit an image into a canvas, keep its aspect ratio, and fill the canvas right and below.

    Images that are only resized are padded to the largest of their batch, and the padding reaches
    features, proposals and so the detections: an image is read differently in other company. On
    one canvas its detections depend on the image alone.

    Unlike ``Resize``, which fits the long and the short side, this fits width and height: an
    upright image becomes as high as a wide one. Beside what ``Resize`` sets, where ``img_shape``
    stays the (height, width) of the image on the canvas, to which boxes are clipped, it sets
    ``pad_shape``, that of the canvas.

    Args:
        scale: width and height of the canvas in pixels, in this order.
        pad_val: BGR value of the filling; the default is ImageNet's mean, about 0 when normalised.
        keep_original: also set ``original``, the image as it was, for a detector that looks twice.
        **kwargs: ``clip_object_border``, ``interpolation`` and ``backend`` of
            :class:`mmdet.datasets.transforms.Resize`.
    """

    def __init__(
        self,
        scale: tuple[int, int],
        pad_val: tuple[int, int, int] = FILLING,
        keep_original: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(scale=tuple(scale), keep_ratio=False, **kwargs)
        self.pad_val = tuple(pad_val)
        self.keep_original = keep_original

    def _resize_img(self, results: dict) -> None:
        results['scale'] = fitted_size(results['img'].shape[1::-1], self.scale)
        super()._resize_img(results)

    def transform(self, results: dict) -> dict:
        """Resize image (H, W, 3) and boxes, then fill the canvas."""
        if self.keep_original:
            results['original'] = results['img']
        results = super().transform(results)
        width, height = self.scale
        results['img'] = impad(results['img'], shape=(height, width), pad_val=self.pad_val)
        results['pad_shape'] = results['img'].shape
        return results
