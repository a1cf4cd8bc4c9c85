"""Glyphs of the user: handwriting in MNIST's format, or folders of digit pictures."""

import gzip
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmdet_digits.errors import InputError
from mmdet_digits.files import IMAGE_SUFFIXES, read_file
from mmdet_digits.synthetic.glyphs import DIGITS, INK, fit_glyph
from mmdet_digits.synthetic.user_files import decode_image, files_of

GLYPH_FORMAT = (
    "an .npz file with x_train and y_train as Keras' mnist.npz, a folder with MNIST's "
    'train-images-idx3-ubyte and train-labels-idx1-ubyte (.gz or not), or a folder with the '
    'folders 0/ to 9/ of digit images'
)
UNSOUND = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error)
FINE = 100  # px; a smaller sample is enlarged smoothly to this height before it is cut out
# Where the edge of an enlarged digit begins and ends, as shares of its lightest pixel.
EDGE = np.array([0.35, 0.67])


class Samples(Sequence):
    """Pictures of one digit, light on dark, that become glyphs when they are asked for.

    Args:
        images: (N, H, W) uint8, or N pictures of different sizes; each with ink in it.
    """

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> np.ndarray:
        return smooth_glyph(self._images[index])


def smooth_glyph(image: np.ndarray) -> np.ndarray:
    """(64, W) coverage of a digit from (H, W) uint8, light on dark; small ones get a sharp edge."""
    x, y, w, h = cv2.boundingRect((image >= INK).view(np.uint8))
    ink = cv2.copyMakeBorder(image[y : y + h, x : x + w], 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    scale = FINE / h
    if scale > 1:
        size = (max(round(ink.shape[1] * scale), 3), round(ink.shape[0] * scale))
        large = cv2.resize(ink, size, interpolation=cv2.INTER_CUBIC)
        large = cv2.GaussianBlur(large.astype(np.float32), (0, 0), max(0.4 * scale, 0.3))
        low, high = EDGE * large.max()
        ink = np.clip((large - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return fit_glyph(ink)


def read_glyph_samples(path: Path | str) -> tuple[tuple[Samples, ...], list[str]]:
    """Read pictures of digits, see `GLYPH_FORMAT`.

    Returns:
        The samples of each digit 0..9, and what is to be told about those left out.

    Raises:
        InputError: It is nothing of the kind, or a digit has no sample.
    """
    path = Path(path)
    if path.is_dir():
        idx = sorted(path.glob('train-images*'))
        found = _read_idx(path) if idx else _read_digit_folders(path)
    else:
        found = _read_npz(path)
    with_ink = [[image for image in images if image.max(initial=0) >= INK] for images in found]
    empty = sum(map(len, found)) - sum(map(len, with_ink))
    missing = [digit for digit, images in zip(DIGITS, with_ink, strict=True) if not images]
    if missing:
        raise InputError(
            f'{path}: digits without a picture.',
            f'none of {", ".join(missing)}',
            GLYPH_FORMAT,
            'add pictures of them, or give other glyphs',
        )
    notes = [f'{path}: {empty:,} pictures without ink are left out.'] if empty else []
    return tuple(map(Samples, with_ink)), notes


def _read_npz(path: Path) -> list[np.ndarray]:
    read_file(path, GLYPH_FORMAT)
    try:
        with np.load(path, allow_pickle=False) as content:
            names = ', '.join(content.files)
            images, labels = content['x_train'], content['y_train']
    except KeyError as error:
        raise _wrong(path, f'a file with {names or "nothing"}') from error
    except (*UNSOUND, TypeError, AttributeError) as error:
        raise _wrong(path, 'a file that is no sound .npz file') from error
    return _by_label(path, images, labels)


def _read_idx(folder: Path) -> list[np.ndarray]:
    arrays = []
    for name, magic, axes in (('train-images', 2051, 3), ('train-labels', 2049, 1)):
        file = next(iter(sorted(folder.glob(f'{name}*'))), folder / f'{name}-idx{axes}-ubyte')
        data = read_file(file, GLYPH_FORMAT)
        try:
            data = gzip.decompress(data) if data.startswith(b'\x1f\x8b') else data
            header = np.frombuffer(data, '>i4', axes + 1).astype(int)
            if header[0] != magic:
                raise ValueError(f'magic number {header[0]}')
            content = np.frombuffer(data, np.uint8, offset=4 * (axes + 1))
            arrays.append(content.reshape(header[1:]))
        except UNSOUND as error:
            raise _wrong(file, f'no sound idx file: {error}') from error
    return _by_label(folder, *arrays)


def _by_label(path: Path, images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    fits = images.ndim == 3 and images.dtype == np.uint8 and labels.shape == images.shape[:1]
    if not fits or not np.issubdtype(labels.dtype, np.integer):
        found = f'images {images.shape} {images.dtype}, labels {labels.shape} {labels.dtype}'
        raise _wrong(path, found)
    if labels.size and (labels.min() < 0 or labels.max() > 9):
        raise _wrong(path, f'labels from {labels.min()} to {labels.max()}')
    return [images[labels == digit] for digit in range(10)]


def _wrong(path: Path, found: str) -> InputError:
    return InputError(f'{path}: not a set of digit pictures.', found, GLYPH_FORMAT, 'give another')


def _read_digit_folders(folder: Path) -> list[list[np.ndarray]]:
    missing = [digit for digit in DIGITS if not (folder / digit).is_dir()]
    if missing:
        present = ', '.join(sorted(p.name for p in folder.iterdir())[:5]) or 'an empty folder'
        raise _wrong(folder, f'{present}; no folder {", ".join(missing)}')
    return [
        [_read_glyph_image(path) for path in files_of(folder / digit, IMAGE_SUFFIXES)]
        for digit in DIGITS
    ]


def _read_glyph_image(path: Path) -> np.ndarray:
    """(H, W) uint8, light on dark: its transparency, or else its grey levels."""
    image = decode_image(path, cv2.IMREAD_UNCHANGED, 'a picture of a digit')
    if image.dtype != np.uint8:
        image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4 and image[..., 3].min() < 255:
        return np.ascontiguousarray(image[..., 3])
    grey = cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    grey = 255 - grey if np.median(edge) > 127 else grey
    low, high = int(grey.min()), int(grey.max())
    return grey if high - low < 16 else cv2.normalize(grey, None, 0, 255, cv2.NORM_MINMAX)
