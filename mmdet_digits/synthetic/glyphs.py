"""Digit shapes: real handwriting, OpenCV's Hershey fonts, Matplotlib's TrueType fonts, a pen font.

A glyph is a (64, W) uint8 array of coverage, 0 outside and 255 inside, cropped to the digit. A face
is a tuple of ten glyphs, the digits 0..9.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmdet_digits.synthetic.parameters import STYLE, StyleParameters, choose

# Digits drawn with a pen along skeleton lines: any width, weight and stroke contrast.
#
# House numbers are mostly condensed numerals of even or of strongly contrasting strokes, which no
# bundled font offers. Here the skeleton is stretched first and the pen applied afterwards, so a
# narrow digit keeps its stroke.

Polyline = np.ndarray  # (K, 2) float, x and y in the unit box, y downwards


@dataclass(frozen=True)
class StrokeStyle:
    """One font of the family.

    Args:
        aspect: Width / height of a round digit.
        pen_x: Width of vertical strokes / height of the digit.
        pen_y: Width of horizontal strokes / height of the digit.
        squareness: Exponent of the super-ellipse: 2 is an ellipse, 4 nearly a rounded box.
        flag: The 1's flag: 0 none, 1 sloping, 2 a short horizontal bar.
        foot: The 1 stands on a foot.
        open_four: The 4 is open at the top.
        flat_three: The 3 has a straight top.
        straight_six: The stems of 6 and 9 are straight.
        barred_seven: The 7 has a bar.
        balls: Strokes of 2, 3, 5, 6, 9 end in balls, as in Didone numerals.
        round_pen: Elliptical pen; otherwise a rectangular one.
        hook: How far the open ends of 2, 3, 5, 6, 9 curl in, 0..1.
        wavy_two: The foot of the 2 is a wave.
    """

    aspect: float = 0.55
    pen_x: float = 0.14
    pen_y: float = 0.14
    squareness: float = 2.3
    flag: int = 1
    foot: bool = False
    open_four: bool = False
    flat_three: bool = False
    straight_six: bool = False
    barred_seven: bool = False
    balls: bool = False
    round_pen: bool = True
    hook: float = 0.0
    wavy_two: bool = False


def sample_stroke_style(rng: np.random.Generator, aspect: float) -> StrokeStyle:
    """Draw a style: even strokes, or thick verticals with thin horizontals (a third)."""
    didone = rng.random() < 0.34
    pen_x = rng.uniform(0.1, 0.2) if not didone else rng.uniform(0.14, 0.24)
    pen_x = min(pen_x, 0.36 * aspect)  # counters stay open
    pen_y = pen_x * rng.uniform(0.75, 1.0) if not didone else pen_x * rng.uniform(0.25, 0.55)
    return StrokeStyle(
        aspect=aspect,
        pen_x=pen_x,
        pen_y=min(max(pen_y, 0.04), 0.16),
        squareness=rng.uniform(2.0, 3.4),
        flag=int(rng.choice(3, p=(0.06, 0.72, 0.22))),
        foot=bool(rng.random() < (0.7 if didone else 0.15)),
        open_four=bool(rng.random() < 0.12),
        flat_three=bool(rng.random() < 0.12),
        straight_six=bool(rng.random() < 0.2),
        barred_seven=bool(rng.random() < 0.06),
        balls=didone and bool(rng.random() < 0.7),
        round_pen=bool(rng.random() < 0.7),
        hook=rng.uniform(0, 1) if didone else rng.uniform(-0.3, 0.6),
        wavy_two=bool(rng.random() < (0.5 if didone else 0.06)),
    )


def draw_stroke_digit(digit: int, style: StrokeStyle, height: int = 64) -> np.ndarray:
    """Draw one digit.

    Args:
        digit: 0..9.
        style: The font.
        height: Height of the result in pixels.

    Returns:
        (height, W) uint8 coverage, cropped to the glyph.
    """
    pen_x, pen_y = max(style.pen_x * height, 2.0), max(style.pen_y * height, 2.0)
    inner_h = height - pen_y
    inner_w = max(style.aspect * height - pen_x, 4.0)
    pad = int(max(pen_x, pen_y)) + 6
    canvas = np.zeros((height + 2 * pad, int(style.aspect * height) + 2 * pad + 2), np.uint8)
    lines = [line * (inner_w, inner_h) + pad for line in _SKELETONS[digit](style)]
    points = [np.round(line * 16).astype(np.int32) for line in lines]
    cv2.polylines(canvas, points, False, 255, 2, cv2.LINE_AA, 4)
    shape = cv2.MORPH_ELLIPSE if style.round_pen else cv2.MORPH_RECT
    pen = cv2.getStructuringElement(shape, (max(round(pen_x) - 1, 1), max(round(pen_y) - 1, 1)))
    canvas = cv2.dilate(canvas, pen)
    if style.balls and digit in (2, 3, 5, 6, 9):
        radius = 0.56 * pen_x
        for x, y in _terminals(digit, lines):
            inside = np.clip((x, y), pad + 0.3 * radius, np.subtract(canvas.shape[::-1], pad + 2))
            cv2.circle(canvas, tuple(np.round(inside).astype(int)), round(radius), 255, -1)
    x, y, w, h = cv2.boundingRect((canvas > 127).view(np.uint8))
    width = max(round(w * height / h), 2)
    return cv2.resize(canvas[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_AREA)


def _terminals(digit: int, lines: list[Polyline]) -> list[np.ndarray]:
    """Points where a stroke ends freely."""
    if digit == 2:
        return [lines[0][0]]
    if digit == 5:
        return [lines[-1][-1]]
    if digit == 3:
        return [lines[0][0], lines[-1][-1]] if len(lines) > 1 else [lines[0][-1]]
    return [lines[0][0]]


def _arc(
    cx: float, cy: float, rx: float, ry: float, start: float, stop: float, squareness: float
) -> Polyline:
    """Part of a super-ellipse; angles in degrees, 0 right, 90 below, 270 above."""
    angles = np.radians(np.linspace(start, stop, 28))
    power = 2.0 / squareness
    x, y = np.cos(angles), np.sin(angles)
    x = cx + rx * np.sign(x) * np.abs(x) ** power
    y = cy + ry * np.sign(y) * np.abs(y) ** power
    return np.stack([x, y], 1)


def _curve(*points: tuple[float, float]) -> Polyline:
    """Bezier curve of any degree through its first and last point."""
    t = np.linspace(0, 1, 16)[:, None]
    degree = len(points) - 1
    terms = [
        math.comb(degree, i) * t**i * (1 - t) ** (degree - i) * np.asarray(p, float)
        for i, p in enumerate(points)
    ]
    return np.sum(terms, 0)


def _line(*points: tuple[float, float]) -> Polyline:
    return np.asarray(points, float)


def _zero(style: StrokeStyle) -> list[Polyline]:
    return [_arc(0.5, 0.5, 0.5, 0.5, 0, 360, style.squareness)]


def _one(style: StrokeStyle) -> list[Polyline]:
    lines = [_line((0.5, 0), (0.5, 1))]
    if style.flag == 1:
        lines.append(_line((0.5, 0.0), (0.08, 0.24)))
    elif style.flag == 2:
        lines.append(_line((0.5, 0.0), (0.18, 0.03), (0.18, 0.09)))
    if style.foot:
        lines.append(_line((0.15, 1), (0.85, 1)))
    return lines


def _two(style: StrokeStyle) -> list[Polyline]:
    bow = _arc(0.5, 0.28, 0.48, 0.28, 190 - 35 * style.hook, 370, style.squareness)
    x, y = bow[-1]
    neck = _curve((x, y), (x - 0.02, 0.55), (0.1, 0.75), (0, 1))
    foot = [(1.0, 1.0)]
    if style.wavy_two:
        foot = _curve((0, 1), (0.3, 0.78), (0.6, 1.16), (1, 0.84))
    return [np.concatenate([bow, neck, foot])]


def _three(style: StrokeStyle) -> list[Polyline]:
    stop = 522 + 18 * style.hook
    low = _arc(0.46, 0.735, 0.54, 0.265, 265, stop, style.squareness)
    if style.flat_three:
        low = _arc(0.42, 0.7, 0.58, 0.3, 270, stop, style.squareness)
        return [np.concatenate([_line((0.05, 0), (0.95, 0)), low])]
    top = _arc(0.46, 0.24, 0.48, 0.24, 197 - 17 * style.hook, 448, style.squareness)
    return [top, low]


def _four(style: StrokeStyle) -> list[Polyline]:
    if style.open_four:
        return [_line((0.4, 0), (0, 0.68), (1, 0.68)), _line((0.75, 0.35), (0.75, 1))]
    return [_line((0.74, 1), (0.74, 0), (0, 0.7), (1, 0.7))]


def _five(style: StrokeStyle) -> list[Polyline]:
    bowl = _arc(0.47, 0.675, 0.53, 0.325, 205, 512 + 15 * style.hook, style.squareness)
    return [_line((0.92, 0), (0.12, 0), (0.06, 0.5)), bowl]


def _six(style: StrokeStyle) -> list[Polyline]:
    bowl = _arc(0.5, 0.69, 0.5, 0.31, 0, 360, style.squareness)
    if style.straight_six:
        return [_curve((0.72, 0), (0.3, 0.35), (0.03, 0.58)), bowl]
    stem = _arc(0.5, 0.5, 0.5, 0.5, 322 + 20 * style.hook, 180, style.squareness)
    return [np.concatenate([stem, _line((0, 0.69))]), bowl]


def _seven(style: StrokeStyle) -> list[Polyline]:
    lines = [np.concatenate([_line((0, 0)), _curve((1, 0), (0.5, 0.5), (0.36, 1))])]
    if style.barred_seven:
        lines.append(_line((0.2, 0.52), (0.85, 0.52)))
    return lines


def _eight(style: StrokeStyle) -> list[Polyline]:
    return [
        _arc(0.5, 0.24, 0.44, 0.24, 0, 360, style.squareness),
        _arc(0.5, 0.735, 0.5, 0.265, 0, 360, style.squareness),
    ]


def _nine(style: StrokeStyle) -> list[Polyline]:
    return [1.0 - line for line in _six(style)]


_SKELETONS = (_zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine)


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
