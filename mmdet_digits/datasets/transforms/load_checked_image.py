"""Image loading that names the file when it is broken."""

import cv2
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS

from mmdet_digits.errors import InputError
from mmdet_digits.image_reading import (
    MAX_PIXELS,
    check_image,
    quiet_decoders,
    unreadable,
)


@TRANSFORMS.register_module(name=['LoadImageFromFile', 'LoadCheckedImage'])
class LoadCheckedImage(LoadImageFromFile):
    """mmcv's ``LoadImageFromFile`` with three checks.

    A file that cannot be decoded, one of too many pixels by its header, and an image whose size is
    not the one its annotation file states (its boxes would lie elsewhere), are errors that name the
    file. Other arguments are those of :class:`mmcv.transforms.LoadImageFromFile`, in whose place it
    stands in mmdet's registry: mmdet knows the step that loads an image by that name.

    Args:
        max_pixels: how many pixels an image may have.
    """

    def __init__(self, *args, max_pixels: int = MAX_PIXELS, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']`` as a (H, W, 3) uint8 BGR array.

        Raises:
            InputError: the file is missing, too large, cannot be read or decoded, or has an
                unexpected size.
        """
        path = results['img_path']
        if self.backend_args is None and self.file_client_args is None:  # else it may lie elsewhere
            check_image(path, self.max_pixels)
        try:
            with quiet_decoders():
                loaded = super().transform(results)
        except (OSError, AssertionError, cv2.error) as error:
            raise unreadable(path, error) from error
        if loaded is not None and 'height' in results:
            _check_size(path, loaded['ori_shape'], (results['height'], results['width']))
        return loaded


def _check_size(path: str, found: tuple[int, int], expected: tuple[int, int]) -> None:
    """Raise InputError unless two (height, width) agree."""
    if tuple(found) != tuple(expected):
        raise InputError(
            f'{path}: the image is not the size that its annotation file states.',
            f'{found[1]} x {found[0]} (width x height)',
            f'{expected[1]} x {expected[0]}',
            'restore the original image, or correct width, height and the boxes of its entry',
        )
