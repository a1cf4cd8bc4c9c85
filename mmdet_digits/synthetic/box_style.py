"""How loosely a data set's boxes lie around its digits: fitted, applied, taken away.

Drawn boxes touch their digit. SVHN's leave a margin that grows with the digit, and count pixels
from 1. A box style turns the one kind into the other, so that drawn boxes match real ones.

Boxes are (N, 4) x, y, w, h in pixels.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from mmdet_digits.boxes import corners, ious
from mmdet_digits.coco.structure import is_number
from mmdet_digits.errors import InputError
from mmdet_digits.files import read_json, write_file
from mmdet_digits.repository import tool_command

FORMAT = (
    '{"left": 0.1, "right": 0.1, "top": 0.05, "bottom": 0.05, "offset_x": 1, "offset_y": 1}, as '
    f'{tool_command("analysis_tools/box_style")} fit writes it'
)
LEAST_PAIRS = 20
ROUNDS = 5
ERROR = 1.0  # px; beyond it, an edge counts by its distance and no longer by its square


@dataclass(frozen=True)
class BoxStyle:
    """The place of a data set's boxes in relation to tight ones.

    Args:
        left: Margin on that side, as a share of the tight box's height; negative cuts into it.
            Of the height on all four sides: a 1 has hardly any width.
        right: The same.
        top: The same.
        bottom: The same.
        offset_x: Shift to the right in pixels, whatever the size; 1 where pixels count from 1.
        offset_y: Shift downwards.
    """

    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    offset_x: float = 0.0
    offset_y: float = 0.0

    def __post_init__(self):
        if self.top + self.bottom <= -1:
            raise ValueError('top and bottom take away the whole height')

    def apply(self, bboxes: np.ndarray) -> np.ndarray:
        """Turn tight boxes into boxes of this style."""
        x, y, w, h = np.asarray(bboxes, float).reshape(-1, 4).T
        wide, high = w + (self.left + self.right) * h, h + (self.top + self.bottom) * h
        corner = x + self.offset_x - self.left * h, y + self.offset_y - self.top * h
        return _without_negative_width(np.stack([*corner, wide, high], axis=1))

    def remove(self, bboxes: np.ndarray) -> np.ndarray:
        """Turn boxes of this style into tight ones: undoes `apply`."""
        x, y, w, h = np.asarray(bboxes, float).reshape(-1, 4).T
        high = h / (1 + self.top + self.bottom)
        wide = w - (self.left + self.right) * high
        corner = x - self.offset_x + self.left * high, y - self.offset_y + self.top * high
        return _without_negative_width(np.stack([*corner, wide, high], axis=1))


def _without_negative_width(bboxes: np.ndarray) -> np.ndarray:
    """Make boxes whose margins took more than there was a line in their middle, in place."""
    bboxes[:, 0] += bboxes[:, 2].clip(max=0) / 2
    bboxes[:, 2] = bboxes[:, 2].clip(min=0)
    return bboxes


def fit_box_style(
    tight: np.ndarray, styled: np.ndarray, iou_thr: float = 0.5
) -> tuple[BoxStyle, np.ndarray]:
    """Find the style that turns tight boxes into those of a data set.

    The differences between the edges are fitted robustly. Pairs that still do not overlap are
    then left out and the rest is fitted again: wrongly paired boxes do no harm, and pairs that
    only the style brings together count as well.

    Args:
        tight: (N, 4), such as what a detector finds that was trained on tight boxes.
        styled: (N, 4), the data set's boxes of the same digits.
        iou_thr: The least overlap of a pair once the style is applied.

    Returns:
        The style, and (N,) bool: the pairs that it was fitted to.

    Raises:
        InputError: Fewer than 20 pairs are left.
    """
    tight, styled = (np.asarray(boxes, float).reshape(-1, 4) for boxes in (tight, styled))
    kept, style = np.ones(len(tight), bool), BoxStyle()
    for _ in range(ROUNDS):
        if kept.sum() < LEAST_PAIRS:
            raise InputError(
                'A box style needs more pairs of a detection and a true box.',
                f'{kept.sum()} of {len(tight)} pairs overlap (IoU >= {iou_thr}) when fitted',
                f'{LEAST_PAIRS} or more; 100 are better',
                'give more images, a lower --score-thr, or the predictions of a better model',
            )
        style = _fit(tight[kept], styled[kept])
        agree = ious(corners(style.apply(tight)), corners(styled)) >= iou_thr
        if np.array_equal(agree, kept):
            break
        kept = agree
    return style, kept


def _fit(tight: np.ndarray, styled: np.ndarray) -> BoxStyle:
    """Fit both axes; each has one offset and a margin on either side."""
    (left, right, x), (top, bottom, y) = (
        _fit_axis(
            styled[:, axis] - tight[:, axis],
            (styled - tight)[:, [axis, axis + 2]].sum(axis=1),
            tight[:, 3],
        )
        for axis in (0, 1)
    )
    return BoxStyle(left, right, top, bottom, x, y)


def _fit_axis(low: np.ndarray, high: np.ndarray, size: np.ndarray) -> list[float]:
    """Margins before and behind, and the offset, from how far each of the two edges lies off."""

    def errors(values: np.ndarray) -> np.ndarray:
        before, behind, offset = values
        return np.concatenate([offset - before * size - low, offset + behind * size - high])

    return least_squares(errors, np.zeros(3), loss='soft_l1', f_scale=ERROR).x.tolist()


def read_box_style(path: Path | str) -> BoxStyle:
    """Read a style; what a file says about its origin is left alone.

    Raises:
        InputError: it is not the file of a style.
    """
    content = read_json(path, FORMAT)
    names = asdict(BoxStyle())
    values = content if isinstance(content, dict) else {}
    wrong = [name for name in names if not is_number(values.get(name))]
    if wrong or values['top'] + values['bottom'] <= -1:
        raise InputError(
            f'{path}: not a box style.',
            f'no number under {", ".join(wrong)}'
            if wrong
            else f'top {values["top"]} and bottom {values["bottom"]} leave no height',
            FORMAT,
            'fit the style again',
        )
    return BoxStyle(**{name: float(values[name]) for name in names})


def write_box_style(path: Path | str, style: BoxStyle, origin: Mapping) -> None:
    """Write a style as JSON, with what it was fitted to under ``fitted``."""
    rounded = {name: round(value, 5) for name, value in asdict(style).items()}
    write_file(path, json.dumps({**rounded, 'fitted': dict(origin)}, indent=2) + '\n')
