"""Digits drawn with a pen along skeleton lines: any width, weight and stroke contrast.

House numbers are mostly condensed numerals of even or of strongly contrasting strokes, which no
bundled font offers. Here the skeleton is stretched first and the pen applied afterwards, so a
narrow digit keeps its stroke.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

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
