"""Image loading that names the file when it is broken."""

from pathlib import Path

import cv2
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS

from mmdet_digits.datasets.image_cache import ImageCache
from mmdet_digits.utils.errors import InputError


@TRANSFORMS.register_module(name=['LoadImageFromFile', 'LoadCheckedImage'])
class LoadCheckedImage(LoadImageFromFile):
    """mmcv's ``LoadImageFromFile`` with two checks.

    A file that cannot be decoded, and an image whose size is not the one its annotation file
    states (its boxes would lie elsewhere), are errors that name the file. Arguments are those of
    :class:`mmcv.transforms.LoadImageFromFile`, in whose place it stands in mmdet's registry: mmdet
    knows the step that loads an image by that name.

    Attributes:
        cache: where the data set has decoded images kept; None for nowhere.
    """

    cache: ImageCache | None = None

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']`` as a (H, W, 3) uint8 BGR array.

        Raises:
            InputError: the file is missing, cannot be read or decoded, or has an unexpected size.
        """
        return self.cache.load(results, self._decode) if self.cache else self._decode(results)

    def _decode(self, results: dict) -> dict | None:
        path = results['img_path']
        try:
            loaded = super().transform(results)
        except FileNotFoundError as error:
            raise InputError(
                f'{path}: no such image.',
                'nothing',
                'the image that the annotation file names',
                'put the file there, or remove its entry from the annotation file',
            ) from error
        except OSError as error:
            raise InputError(
                f'{path}: cannot be read.',
                error.strerror or str(error),
                'a file that this account may read',
                'look at its rights and at the disk or the network behind it',
            ) from error
        except (AssertionError, cv2.error) as error:
            raise InputError(
                f'{path}: cannot be decoded as an image.',
                _content(path),
                'a complete PNG or JPEG',
                'copy the file again, or remove its entry from the annotation file',
            ) from error
        if loaded is not None and 'height' in results:
            _check_size(path, loaded['ori_shape'], (results['height'], results['width']))
        return loaded


def _content(path: str) -> str:
    """Say how many bytes a file has and what they begin with."""
    data = Path(path).read_bytes()
    return f'{len(data)} bytes, beginning with {data[:8]!r}'


def _check_size(path: str, found: tuple[int, int], expected: tuple[int, int]) -> None:
    """Raise InputError unless two (height, width) agree."""
    if tuple(found) != tuple(expected):
        raise InputError(
            f'{path}: the image is not the size that its annotation file states.',
            f'{found[1]} x {found[0]} (width x height)',
            f'{expected[1]} x {expected[0]}',
            'restore the original image, or correct width, height and the boxes of its entry',
        )
