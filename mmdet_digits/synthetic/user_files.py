"""The user's own fonts, handwriting and photographs."""

import functools
import gzip
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmdet_digits.errors import InputError
from mmdet_digits.files import IMAGE_SUFFIXES, check_folder, read_file
from mmdet_digits.synthetic.glyphs import DIGITS, INK, Face, fit_glyph, truetype_ink


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


# Glyphs of the user: handwriting in MNIST's format, or folders of digit pictures.

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


# Fonts of the user.

FONTS = ('.ttf', '.otf', '.ttc')
LINING = 0.8  # least height of a lining digit / height of the largest one


def read_font_faces(folder: Path | str) -> tuple[dict[str, Face], list[str]]:
    """Render the digits of every font below a folder.

    Returns:
        A face per font, and what is to be told about those left out.

    Raises:
        InputError: There is no such folder, or no font in it has ten lining digits.
    """
    what = f'a folder of fonts ({", ".join(FONTS)})'
    check_folder(folder, what)
    faces, unfit = {}, []
    for path in files_of(folder, FONTS):
        name = str(path.relative_to(folder))
        ink, problem = _digits_of(path)
        if problem:
            unfit.append(f'{name} ({problem})')
        else:
            faces[name] = tuple(map(fit_glyph, ink))
    listed = ', '.join(unfit[:5]) + (f' and {len(unfit) - 5:,} more' if len(unfit) > 5 else '')
    if not faces:
        raise InputError(
            f'{folder}: no font to draw digits with.',
            listed or 'no font file',
            f'{what} with lining digits',
            'add fonts, or give another folder',
        )
    notes = [f'{folder}: {len(unfit):,} of the fonts are left out: {listed}.'] if unfit else []
    return faces, notes


def _digits_of(path: Path) -> tuple[list[np.ndarray], str]:
    """The ink of a font's ten digits, and what is wrong with them, or ''."""
    try:
        ink = truetype_ink(path, DIGITS)
    except (OSError, ValueError) as error:
        return [], f'not readable: {error}'
    rows = [np.flatnonzero((canvas >= INK).any(axis=1)) for canvas in ink]
    if not all(map(len, rows)):
        return ink, 'lacks digits'
    if len({canvas.tobytes() for canvas in ink}) < len(ink):
        return ink, 'draws different digits alike'
    heights = [np.ptp(inked) for inked in rows]
    return ink, 'no lining digits' if min(heights) < LINING * max(heights) else ''


# Photographs of the user as walls.

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
