"""Ways to choose an image's size beside mmdet's ``Resize``, which fits it into a scale."""

from abc import abstractmethod

from mmcv.image.geometric import rescale_size
from mmdet.datasets.transforms import Resize
from mmdet.registry import TRANSFORMS


class PolicyResize(Resize):
    """A ``Resize`` that keeps the aspect ratio and chooses a factor for each image.

    Args:
        scale: two sides in pixels; what they mean is the policy's.
        keep_ratio: must be true; there so that a config's ``Resize`` can be turned into this.
        **kwargs: passed to :class:`mmdet.datasets.transforms.Resize`.

    Raises:
        ValueError: ``keep_ratio`` is false.
    """

    def __init__(self, scale: tuple[int, int], keep_ratio: bool = True, **kwargs) -> None:
        if not keep_ratio:
            raise ValueError(f'{type(self).__name__}: keep_ratio=False, but it must be kept')
        super().__init__(scale=scale, keep_ratio=True, **kwargs)

    @abstractmethod
    def factor(self, width: int, height: int) -> float:
        """By what to multiply the sides of an image.

        Args:
            width: of the image, in pixels.
            height: of the image, in pixels.
        """

    def _resize_img(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        results['scale'] = self.factor(width, height)
        super()._resize_img(results)


@TRANSFORMS.register_module()
class CappedResize(PolicyResize):
    """Fit an image into a scale as ``Resize`` does, but never enlarge it beyond a factor.

    Args:
        scale: longest and shortest side in pixels, in any order.
        max_upscale: the largest factor; 1 never enlarges.
        **kwargs: passed to :class:`PolicyResize`.

    Raises:
        ValueError: ``max_upscale`` is not above 0.
    """

    def __init__(self, scale: tuple[int, int], max_upscale: float, **kwargs) -> None:
        super().__init__(scale, **kwargs)
        if max_upscale <= 0:
            raise ValueError(f'CappedResize: max_upscale={max_upscale}, expected more than 0')
        self.max_upscale = float(max_upscale)

    def factor(self, width: int, height: int) -> float:
        """The factor of ``Resize``, or the cap."""
        return min(rescale_size((width, height), tuple(self.scale), True)[1], self.max_upscale)


@TRANSFORMS.register_module()
class HeightResize(PolicyResize):
    """Give images one height, so that digits of close crops come out about equally high.

    What should be equal is the height of the digits, but before the detection nobody knows it. The
    image's height stands in for it, in training as in testing: sizes by the annotated digits would
    train a detector on images that it never meets.

    Args:
        scale: the largest width and the height in pixels, in this order. An image too wide for it
            gets that width, and is lower.
        **kwargs: passed to :class:`PolicyResize`.
    """

    def factor(self, width: int, height: int) -> float:
        """The factor that gives the height, or the largest width."""
        largest_width, wanted_height = self.scale
        return min(wanted_height / height, largest_width / width)
