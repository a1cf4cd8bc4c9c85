"""Photographs of the user as walls."""

import functools
from pathlib import Path

import cv2
import numpy as np

from mmdet_digits.errors import InputError
from mmdet_digits.files import IMAGE_SUFFIXES, check_folder
from mmdet_digits.synthetic.user_files import decode_image, files_of

WHAT = f'a folder of photographs without digits ({", ".join(IMAGE_SUFFIXES)})'
SIDE = 640  # px; larger photographs are reduced to it when they are read
HELD = 128  # photographs held in memory per process
CROP = (0.3, 1.0)  # share of the photograph's largest possible crop


class Photos:
    """Walls cut out of photographs.

    Args:
        paths: Image files. They are read when they are first needed.
    """

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    def crop(self, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
        """Cut out a part of one photograph, (3, height, width) float32 with planes in BGR order.

        Raises:
            InputError: The photograph cannot be read.
        """
        photo = _read_photo(self.paths[rng.integers(len(self.paths))])
        largest = min(photo.shape[1] / width, photo.shape[0] / height)
        scale = largest * rng.uniform(*CROP)
        w, h = max(int(width * scale), 1), max(int(height * scale), 1)
        x, y = rng.integers(photo.shape[1] - w + 1), rng.integers(photo.shape[0] - h + 1)
        part = photo[y : y + h, x : x + w]
        if rng.random() < 0.5:
            part = cv2.flip(part, 1)
        interpolation = cv2.INTER_AREA if w >= width else cv2.INTER_CUBIC
        part = cv2.resize(part, (width, height), interpolation=interpolation)
        return part.transpose(2, 0, 1).astype(np.float32)


def find_photos(folder: Path | str) -> Photos:
    """The photographs below a folder.

    Raises:
        InputError: There is no such folder, it has none, or the first cannot be read.
    """
    check_folder(folder, WHAT)
    paths = files_of(folder, IMAGE_SUFFIXES)
    if not paths:
        raise InputError(
            f'{folder}: no photograph in it.', 'no image file', WHAT, 'give another folder'
        )
    _read_photo(paths[0])
    return Photos(tuple(paths))


@functools.lru_cache(HELD)
def _read_photo(path: Path) -> np.ndarray:
    photo = decode_image(path, cv2.IMREAD_COLOR, WHAT)
    scale = SIDE / max(photo.shape[:2])
    if scale >= 1:
        return photo
    size = [max(round(side * scale), 1) for side in photo.shape[1::-1]]
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
