"""What the readers of the user's folders share."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmdet_digits.errors import InputError
from mmdet_digits.files import read_file


def decode_image(path: Path, flags: int, what: str) -> np.ndarray:
    """Read and decode an image file.

    Raises:
        InputError: It cannot be.
    """
    data = read_file(path, what)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise InputError(
            f'{path}: cannot be decoded as an image.',
            f'{len(data):,} bytes, beginning with {data[:8]!r}',
            what,
            'copy it again, or take it out of the folder',
        )
    return image


def files_of(folder: Path | str, suffixes: Sequence[str]) -> list[Path]:
    """The files below a folder with one of these endings, sorted."""
    found = Path(folder).rglob('*')
    return sorted(path for path in found if path.suffix.lower() in suffixes and path.is_file())
