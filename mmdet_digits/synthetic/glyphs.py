"""Digit shapes: real handwriting, OpenCV's Hershey fonts, Matplotlib's TrueType fonts, a pen font.

A glyph is a (64, W) uint8 array of coverage, 0 outside and 255 inside, cropped to the digit. A face
is a tuple of ten glyphs, the digits 0..9.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmdet_digits.synthetic.parameters import STYLE, StyleParameters, choose
from mmdet_digits.synthetic.stroke_font import draw_stroke_digit, sample_stroke_style

DIGITS = '0123456789'
GLYPH_HEIGHT = 64
INK = 128  # least coverage of a pixel that belongs to the digit

Face = tuple[np.ndarray, ...]

TRUETYPE_FONTS = (
    'DejaVuSans',
    'DejaVuSans-Bold',
    'DejaVuSans-Oblique',
    'DejaVuSans-BoldOblique',
    'DejaVuSansMono',
    'DejaVuSansMono-Bold',
    'DejaVuSansMono-Oblique',
    'DejaVuSansMono-BoldOblique',
    'DejaVuSerif',
    'DejaVuSerif-Bold',
    'DejaVuSerif-Italic',
    'DejaVuSerif-BoldItalic',
    'STIXGeneral',
    'STIXGeneralBol',
    'STIXGeneralItalic',
    'STIXGeneralBolIta',
    'cmb10',
    'cmr10',
    'cmss10',
    'cmti10',
    'cmtt10',
)
"""Of the 38 fonts that come with Matplotlib, those with lining digits: cmmi10 has old-style ones,
the others hold symbols only."""

# What house numbers look like.
_UPRIGHT_BOLD = ('DejaVuSans-Bold', 'DejaVuSerif-Bold', 'STIXGeneralBol', 'cmb10', 'cmss10')

HERSHEY_FONTS = {
    'simplex': cv2.FONT_HERSHEY_SIMPLEX,
    'plain': cv2.FONT_HERSHEY_PLAIN,
    'duplex': cv2.FONT_HERSHEY_DUPLEX,
    'complex': cv2.FONT_HERSHEY_COMPLEX,
    'triplex': cv2.FONT_HERSHEY_TRIPLEX,
    'complex_small': cv2.FONT_HERSHEY_COMPLEX_SMALL,
    'script_simplex': cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    'script_complex': cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
}

LETTERS = 'ACEFHKMNPRTUVWXY'
"""Letters that no digit is mistaken for: distractors beside a number."""


@dataclass(frozen=True)
class GlyphSet:
    """All glyphs that are held in memory.

    Args:
        truetype: Faces by font name.
        hershey: Faces by font name and pen, such as ``'simplex-6'``.
        handwriting: For each digit 0..9 its samples; of scikit-learn's about 180 each.
        letters: Distractor glyphs from Matplotlib's TrueType fonts.
        favourites: TrueType fonts that half of the numbers are written in; may be none.
    """

    truetype: dict[str, Face]
    hershey: dict[str, Face]
    handwriting: tuple[Sequence[np.ndarray], ...]
    letters: tuple[np.ndarray, ...]
    favourites: tuple[str, ...] = ()


@functools.cache
def load_glyphs() -> GlyphSet:
    """Render every glyph that comes with the libraries, once per process."""
    import matplotlib  # these two take long to import, and most runs draw nothing
    from sklearn.datasets import load_digits

    fonts = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
    truetype = {
        name: tuple(truetype_glyphs(fonts / f'{name}.ttf', DIGITS)) for name in TRUETYPE_FONTS
    }
    hershey = {
        f'{name}-{thickness}': tuple(_hershey_glyph(font, d, thickness) for d in range(10))
        for name, font in HERSHEY_FONTS.items()
        for thickness in (3, 6, 9)
    }
    data = load_digits()
    samples = [[] for _ in range(10)]
    for image, digit in zip(data.images, data.target, strict=True):
        samples[digit].append(_handwritten_glyph(image))
    letters = [
        glyph for name in _UPRIGHT_BOLD for glyph in truetype_glyphs(fonts / f'{name}.ttf', LETTERS)
    ]
    return GlyphSet(truetype, hershey, tuple(map(tuple, samples)), tuple(letters), _UPRIGHT_BOLD)


def sample_number_glyphs(
    rng: np.random.Generator,
    glyphs: GlyphSet,
    digits: str,
    aspect: float,
    params: StyleParameters = STYLE,
) -> tuple[str, list[np.ndarray]]:
    """Choose the shapes of one number: one face for all, or one handwritten sample per digit.

    Args:
        rng: Random generator.
        glyphs: The loaded glyphs.
        digits: The number, such as ``'407'``.
        aspect: Wished width / height of its digits; the pen font is drawn with it.
        params: The distributions.

    Returns:
        The family (a key of `StyleParameters.family_weights`) and a glyph per digit.
    """
    family = choose(rng, params.family_weights)
    if family == 'stroke':
        style = sample_stroke_style(rng, float(np.clip(aspect, 0.3, 0.85)))
        return family, [draw_stroke_digit(int(d), style, GLYPH_HEIGHT) for d in digits]
    if family == 'handwriting':
        chosen = [glyphs.handwriting[int(d)] for d in digits]
        return family, [samples[rng.integers(len(samples))] for samples in chosen]
    faces = getattr(glyphs, family)
    favourites = glyphs.favourites
    if family == 'truetype' and favourites and rng.random() < 0.5:
        name = favourites[rng.integers(len(favourites))]
    else:
        name = list(faces)[rng.integers(len(faces))]
    return family, [faces[name][int(d)] for d in digits]


def change_weight(glyph: np.ndarray, amount: int) -> np.ndarray:
    """Make strokes bolder (amount > 0) or lighter (< 0) by about ``amount`` of 64 pixels.

    A glyph that would lose most of its ink when made lighter is returned as it is.
    """
    if amount == 0:
        return glyph
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(amount) + 1, abs(amount) + 1))
    padded = cv2.copyMakeBorder(glyph, 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=0)
    changed = cv2.dilate(padded, pen) if amount > 0 else cv2.erode(padded, pen)
    if changed.sum(dtype=np.int64) < 0.6 * glyph.sum(dtype=np.int64):
        return glyph
    return fit_glyph(changed)


def fit_glyph(coverage: np.ndarray) -> np.ndarray:
    """Crop to the `INK` and scale to `GLYPH_HEIGHT`, keeping the aspect."""
    x, y, w, h = cv2.boundingRect((coverage >= INK).view(np.uint8))
    crop = coverage[y : y + h, x : x + w]
    width = max(round(w * GLYPH_HEIGHT / h), 3)
    interpolation = cv2.INTER_AREA if h >= GLYPH_HEIGHT else cv2.INTER_LINEAR
    return cv2.resize(crop, (width, GLYPH_HEIGHT), interpolation=interpolation)


def truetype_glyphs(path: Path, characters: str) -> list[np.ndarray]:
    """Render characters of a font file, each (64, W)."""
    return [fit_glyph(ink) for ink in truetype_ink(path, characters)]


def truetype_ink(path: Path, characters: str) -> list[np.ndarray]:
    """Render characters of a font file, each on a (300, 300) canvas, at the same size."""
    font = ImageFont.truetype(str(path), 100)
    canvases = []
    for character in characters:
        canvas = Image.new('L', (300, 300))
        ImageDraw.Draw(canvas).text((100, 80), character, font=font, fill=255)
        canvases.append(np.asarray(canvas))
    return canvases


def _hershey_glyph(font: int, digit: int, thickness: int) -> np.ndarray:
    canvas = np.zeros((200, 200), np.uint8)
    scale = 100 / cv2.getTextSize('0', font, 1.0, 1)[0][1]
    cv2.putText(canvas, str(digit), (40, 150), font, scale, 255, thickness * 2, cv2.LINE_AA)
    return fit_glyph(canvas)


def _handwritten_glyph(image: np.ndarray) -> np.ndarray:
    """Enlarge an 8x8 sample (0..16) smoothly and sharpen its edge."""
    image = cv2.copyMakeBorder(image.astype(np.float32), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    large = cv2.GaussianBlur(
        cv2.resize(image, (100, 100), interpolation=cv2.INTER_CUBIC), (0, 0), 3
    )
    coverage = np.clip((large - 7.0) / 2.5, 0, 1) * 255
    return fit_glyph(coverage.astype(np.uint8))
