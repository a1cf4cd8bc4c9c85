"""From the detected digits of an image to the number they spell.

One setting of the procedure is a :class:`NumberAssembly`; ``PRESETS`` holds ours (``'default'``)
and those of the two published systems, bug for bug. All images are assembled at once. Of an
image with more than 1,000 detections above the score threshold only the best 1,000 take part.

The default reads by the left edge because SVHN, whose digits HW2 has, is annotated so: of 28,265
numbers of two digits or more, the left edges give the annotated order for all but 6, the x centres
for all but 31, the axis for all but 38. Shifting each edge at random by 3 % of its box, about what
a real detector's neighbouring digits differ in height, makes that 19, 30 and 37; the centres are
ahead from 15 % on. Nearly all of the difference is 42 upright stacks, which a person reads from top
to bottom: their annotation follows left edges a pixel apart, and only 15 agree with the person.
Where stacks matter, choose the axis. ``benchmarks/assembly.py`` prints these tables.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np

from mmdet_digits.assembly.detections import Block, Detections, make_blocks
from mmdet_digits.assembly.grouping import NEIGHBOURS, are_near
from mmdet_digits.assembly.padded_boxes import box_centers, box_heights

NO_NUMBER = '-1'
"""What is written for an image without a digit."""

SURE = 1e-6, 1 - 1e-6
"""Scores beyond these have the same log-odds."""

STACKED_ANGLE = np.deg2rad(75)
"""Order ``'axis'``: a number whose axis is steeper than this is read from top to bottom.

SVHN has two kinds of steep numbers: digits on a slant of up to 70 degrees, read from left to right
whether they climb or fall, and upright stacks from 80 degrees on, with next to nothing between."""


class Reason(IntEnum):
    """Why a detection is, or is not, part of its number."""

    READ = 0
    LOW_SCORE = 1
    DUPLICATE = 2
    CONTAINED = 3
    FAR = 4
    ODD_HEIGHT = 5
    SURPLUS = 6
    LEADING_ZERO = 7


@dataclass(frozen=True)
class NumberAssembly:
    """The rules of the assembly, in the order in which they are applied. None switches one off.

    Attributes:
        score_thr: Detections below it are dropped.
        score_inclusive: Whether a score of exactly ``score_thr`` stays (system A) or not (B).
        iou_thr: Of two detections with a larger IoU only one stays (system B: 0.3).
        containment_thr: The same for the intersection over the smaller of the two areas, so that
            a part of a digit does not stay beside the digit.
        class_agnostic: Whether the two rules above also hold between different digits.
        duplicate_winner: Which one stays: the one of best ``'score'``, or, as in system B, the one
            further ``'left'``. Detections are visited in that order, and one that was itself
            dropped drops no other.
        max_gap_px: With three or more digits, those with no other centre within this many pixels
            are dropped, unless that would drop all; of just two digits further apart only the
            better-scored one stays (system B: 50).
        max_gap_heights: The same in median digit heights, so that it holds at every scale.
        min_height_ratio: Digits are dropped whose height and the number's height, the
            score-weighted median of its digits' heights, have a smaller ratio than this.
        one_group: Whether only one group of digits stays, in which each is next to another one
            (:data:`mmdet_digits.assembly.grouping.NEIGHBOURS`): the surest, by the sum of the
            log-odds of its scores. So letters beside a number that look like digits are left out.
        max_digits: Only this many digits stay, the best-scored ones.
        order: How digits are read: by ``'left'`` edge, by ``'center'`` (its x), or along the
            number's own ``'axis'``: left to right, and top to bottom where digits are stacked.
        leading_zeros: Whether ``'007'`` stays as it is or becomes ``'7'`` (system A).
        ties: What settles equal scores and equal edges: the ``'boxes'`` (further left, then higher
            up; the number does not depend on the order of the input), or the order of the
            ``'input'``, as a stable sort does in both published systems.

    Raises:
        ValueError: If a value is out of its range.
    """

    score_thr: float = 0.5
    score_inclusive: bool = True
    iou_thr: float | None = 0.5
    containment_thr: float | None = 0.85
    class_agnostic: bool = True
    duplicate_winner: str = 'score'
    max_gap_px: float | None = None
    max_gap_heights: float | None = 2.0
    min_height_ratio: float | None = 0.4
    one_group: bool = False
    max_digits: int | None = None
    order: str = 'left'
    leading_zeros: bool = True
    ties: str = 'boxes'

    def __post_init__(self):
        self._check_choice('duplicate_winner', ('score', 'left'))
        self._check_choice('order', ('left', 'center', 'axis'))
        self._check_choice('ties', ('boxes', 'input'))
        for switch in ('score_inclusive', 'class_agnostic', 'one_group', 'leading_zeros'):
            self._check_choice(switch, (True, False))
        self._check_range('score_thr', 0, 1, optional=False)
        self._check_range('iou_thr', 0, 1)
        self._check_range('containment_thr', 0, 1)
        self._check_range('min_height_ratio', 0, 1)
        self._check_range('max_gap_px', 0, np.inf)
        self._check_range('max_gap_heights', 0, np.inf)
        self._check_range('max_digits', 1, np.inf)

    def _check_choice(self, name: str, choices: tuple[str, ...]):
        if getattr(self, name) not in choices:
            raise ValueError(f'{name}: expected one of {choices}, found {getattr(self, name)!r}')

    def _check_range(self, name: str, low: float, high: float, optional: bool = True):
        value = getattr(self, name)
        if value is None and optional:
            return
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise ValueError(f'{name}: expected a number, found {value!r}')
        if not low <= value <= high:
            raise ValueError(f'{name}: expected {low} to {high}, found {value}')


_SORT_AND_JOIN = NumberAssembly(
    iou_thr=None,
    containment_thr=None,
    class_agnostic=False,
    duplicate_winner='left',
    max_gap_heights=None,
    min_height_ratio=None,
    ties='input',
)

PRESETS = {
    'default': NumberAssembly(),
    'system_a': replace(_SORT_AND_JOIN, score_thr=0.5, leading_zeros=False),
    'system_b': replace(
        _SORT_AND_JOIN, score_thr=0.6, score_inclusive=False, iou_thr=0.3, max_gap_px=50.0
    ),
}


def resolve_assembly(spec: str | Mapping | NumberAssembly) -> NumberAssembly:
    """Turn what a config or a command line says into a setting.

    Args:
        spec: A preset's name; or a mapping of fields, which are laid over the preset named by its
            key ``'preset'`` (without one: ``'default'``); or a setting, returned as it is.

    Returns:
        The setting.

    Raises:
        ValueError: If the preset or a field is not known (the message names the nearest), or a
            value is out of its range.
    """
    if isinstance(spec, NumberAssembly):
        return spec
    if not isinstance(spec, Mapping):
        return PRESETS[_known('preset', spec, PRESETS)]
    overrides = dict(spec)
    base = PRESETS[_known('preset', overrides.pop('preset', 'default'), PRESETS)]
    names = [field.name for field in fields(NumberAssembly)]
    for key in overrides:
        _known('key', key, [*names, 'preset'])
    return replace(base, **overrides)


def _known(what: str, name, choices: Iterable[str]) -> str:
    if name in (choices := list(choices)):
        return name
    near = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.5)
    hint = f', did you mean {near[0]!r}?' if near else ''
    raise ValueError(f'number assembly: no {what} {name!r}{hint} Known: {", ".join(choices)}')


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of M images, and what became of the N detections they were made from.

    Attributes:
        strings: The numbers (M,), ``'-1'`` where there is none.
        confidences: Product of the scores of a number's digits (M,), 0 where there is none.
        positions: Which character of its number a detection became (N,), -1 if dropped.
        reasons: Why it was dropped (N,), as :class:`Reason`.
    """

    strings: np.ndarray
    confidences: np.ndarray
    positions: np.ndarray
    reasons: np.ndarray


def assemble_numbers(
    detections: Detections, assembly: str | Mapping | NumberAssembly = 'default'
) -> Numbers:
    """Assemble the number of each image.

    Args:
        detections: The detections of all images.
        assembly: The rules, see :func:`resolve_assembly`.

    Returns:
        One number per image.
    """
    return next(sweep_numbers(detections, [assembly]))


def read_digits(detections: Detections, numbers: Numbers) -> list[np.ndarray]:
    """For each image, the indices of the detections that its number was read from, in order.

    Args:
        detections: The detections of all images.
        numbers: What became of them.
    """
    read = np.flatnonzero(numbers.positions >= 0)
    images = detections.image_index[read]
    order = np.lexsort((numbers.positions[read], images))
    ends = np.searchsorted(images[order], np.arange(1, detections.num_images))
    return np.split(read[order], ends)


def sweep_numbers(
    detections: Detections, assemblies: Iterable[str | Mapping | NumberAssembly]
) -> Iterator[Numbers]:
    """Assemble the same detections by many settings, one after the other.

    What does not depend on the setting (grouping, overlaps, distances) is computed once. The
    memory does not grow with the number of settings: about 24 bytes for each pair of detections of
    the same image that reach the lowest score threshold.

    Args:
        detections: The detections of all images.
        assemblies: The settings.

    Yields:
        The numbers by each setting, in the order of the settings.
    """
    settings = [resolve_assembly(assembly) for assembly in assemblies]
    floor = min((setting.score_thr for setting in settings), default=0.0)
    blocks = {}
    for setting in settings:
        layout = (setting.duplicate_winner, setting.ties)
        if layout not in blocks:
            blocks[layout] = make_blocks(detections, floor, *layout)
        yield _assemble_blocks(detections, blocks[layout], setting)


def _assemble_blocks(
    detections: Detections, blocks: list[Block], setting: NumberAssembly
) -> Numbers:
    positions = np.full(len(detections), -1)
    above = np.greater_equal if setting.score_inclusive else np.greater
    reasons = np.where(
        above(detections.scores, setting.score_thr), Reason.SURPLUS, Reason.LOW_SCORE
    ).astype(np.uint8)
    spelled = []
    confidences = np.zeros(detections.num_images)
    for block in blocks:
        block_reasons = _apply_rules(block, setting)
        read = block_reasons == Reason.READ
        order = _reading_order(block, read, setting)
        read = _strip_leading_zeros(block, read, order, block_reasons, setting)
        block_codes, block_positions = _spell(block, read, order)
        spelled.append(block_codes[:, : max(read.sum(axis=1).max(), 1)])
        score = np.where(read, block.scores, 1.0).prod(axis=1)
        confidences[block.images] = np.where(read.any(axis=1), score, 0.0)
        filled = block.index >= 0
        positions[block.index[filled]] = block_positions[filled]
        reasons[block.index[filled]] = block_reasons[filled]
    width = max((block_codes.shape[1] for block_codes in spelled), default=1)
    codes = np.zeros((detections.num_images, width), dtype=np.uint32)  # one code point per digit
    for block, block_codes in zip(blocks, spelled, strict=True):
        codes[block.images, : block_codes.shape[1]] = block_codes
    strings = codes.view(f'<U{width}')[:, 0]
    strings = np.where(strings == '', NO_NUMBER, strings)
    return Numbers(strings, confidences, positions, reasons)


def _apply_rules(block: Block, setting: NumberAssembly) -> np.ndarray:
    """Give each slot (B, K) the reason why it is dropped, or READ."""
    above = np.greater_equal if setting.score_inclusive else np.greater
    reasons = np.where(above(block.scores, setting.score_thr), Reason.READ, Reason.LOW_SCORE)
    _drop_duplicates(block, reasons, setting)
    for max_gap, unit in (
        (setting.max_gap_px, None),
        (setting.max_gap_heights, box_heights(block.bboxes)),
    ):
        if max_gap is not None:
            _drop_far(block, reasons, max_gap, unit)
    if setting.min_height_ratio is not None:
        _drop_odd_heights(block, reasons, setting.min_height_ratio)
    if setting.one_group:
        _keep_surest_group(block, reasons)
    if setting.max_digits is not None:
        read = reasons == Reason.READ
        rank = _rank(np.where(read, -block.scores, np.inf))
        reasons[read & (rank >= setting.max_digits)] = Reason.SURPLUS
    return reasons


def _drop_duplicates(block: Block, reasons: np.ndarray, setting: NumberAssembly):
    """Visit the slots in their order; each one that stays drops those after it that it meets."""
    conflicts = _conflicts(block, setting)
    if not conflicts:
        return
    for slot in range(reasons.shape[1] - 1):
        winner = reasons[:, slot, None] == Reason.READ
        later = reasons[:, slot + 1 :]
        for conflict, reason in conflicts:
            later[winner & conflict[:, slot, slot + 1 :] & (later == Reason.READ)] = reason


def _conflicts(block: Block, setting: NumberAssembly) -> list[tuple[np.ndarray, Reason]]:
    conflicts = []
    if setting.iou_thr is not None:
        conflicts.append((block.iou > setting.iou_thr, Reason.DUPLICATE))
    if setting.containment_thr is not None:
        conflicts.append((block.containment > setting.containment_thr, Reason.CONTAINED))
    if not setting.class_agnostic:
        same = block.labels[:, :, None] == block.labels[:, None]
        conflicts = [(conflict & same, reason) for conflict, reason in conflicts]
    return conflicts


def _drop_far(block: Block, reasons: np.ndarray, max_gap: float, heights: np.ndarray | None):
    """Drop digits far from all others; ``heights`` makes ``max_gap`` count in median heights."""
    read = reasons == Reason.READ
    limit = np.full((len(read), 1), float(max_gap))
    if heights is not None:
        limit *= _median(heights, read)[:, None]
    slots = np.arange(read.shape[1])
    pairs = read[:, :, None] & read[:, None] & (slots[:, None] != slots)
    nearest = np.where(pairs, block.distances, np.inf).min(axis=2)
    far = read & (nearest > limit)
    count = read.sum(axis=1, keepdims=True)
    drop_many = far & (count > 2) & (read & ~far).any(axis=1, keepdims=True)
    best = np.where(read, block.scores, -np.inf).argmax(axis=1)
    drop_one = far & (count == 2) & (slots != best[:, None])
    reasons[drop_many | drop_one] = Reason.FAR


def _keep_surest_group(block: Block, reasons: np.ndarray):
    """Drop digits that are not in the group whose scores have the largest sum of log-odds."""
    read = reasons == Reason.READ
    joined = are_near(block.bboxes, NEIGHBOURS) & read[:, :, None] & read[:, None]
    for _ in range(reasons.shape[1].bit_length()):  # neighbours of neighbours and so on
        joined = joined.astype(np.float32) @ joined.astype(np.float32) > 0
    scores = block.scores.clip(*SURE)
    odds = np.where(read, np.log(scores / (1 - scores)), 0)
    sums = np.where(read, (joined * odds[:, None]).sum(axis=2).round(9), -np.inf)
    best = joined[np.arange(len(read)), sums.argmax(axis=1)]
    reasons[read & ~best] = Reason.FAR


def _drop_odd_heights(block: Block, reasons: np.ndarray, min_ratio: float):
    """Drop digits much higher or lower than the score-weighted median height."""
    read = reasons == Reason.READ
    heights = box_heights(block.bboxes)
    reference = _median(heights, read, weights=block.scores)[:, None]
    low, high = np.minimum(heights, reference), np.maximum(heights, reference)
    reasons[read & (low < min_ratio * high)] = Reason.ODD_HEIGHT


def _median(values: np.ndarray, mask: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the (weighted) median (B,) of the masked values (B, K): the lower one of two."""
    weights = mask * 1.0 if weights is None else np.where(mask, weights, 0.0)
    order = np.argsort(np.where(mask, values, np.inf), axis=1, kind='stable')
    reached = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    middle = (reached >= reached[:, -1:] / 2).argmax(axis=1)
    return np.take_along_axis(values, np.take_along_axis(order, middle[:, None], 1), 1)[:, 0]


def _reading_order(block: Block, read: np.ndarray, setting: NumberAssembly) -> np.ndarray:
    """Sort the slots (B, K) as they are read; those that are not read come last."""
    x, y = box_centers(block.bboxes)
    if setting.order == 'left':
        keys = (block.bboxes[..., 0], block.bboxes[..., 1])
    elif setting.order == 'center':
        keys = (x, y)
    else:
        keys = (_along_axis(x, y, read), y)
    first, second = keys
    if setting.ties == 'input':
        second = block.index
    return np.lexsort((second, first, ~read), axis=1)


def _along_axis(x: np.ndarray, y: np.ndarray, read: np.ndarray) -> np.ndarray:
    """Project centres (B, K) on the principal axis of their number's centres.

    The axis points to the right, or down if it is steeper than ``STACKED_ANGLE``.
    """
    count = np.maximum(read.sum(axis=1, keepdims=True), 1)
    dx = np.where(read, x - np.where(read, x, 0).sum(axis=1, keepdims=True) / count, 0.0)
    dy = np.where(read, y - np.where(read, y, 0).sum(axis=1, keepdims=True) / count, 0.0)
    angle = 0.5 * np.arctan2(2 * (dx * dy).sum(axis=1), (dx * dx - dy * dy).sum(axis=1))
    angle = np.where(angle < -STACKED_ANGLE, angle + np.pi, angle)[:, None]
    return dx * np.cos(angle) + dy * np.sin(angle)


def _strip_leading_zeros(
    block: Block,
    read: np.ndarray,
    order: np.ndarray,
    reasons: np.ndarray,
    setting: NumberAssembly,
) -> np.ndarray:
    """Drop zeros in front, as ``int`` does: the last digit stays even if it is a zero."""
    if setting.leading_zeros:
        return read
    labels = np.take_along_axis(block.labels, order, axis=1)
    zero = (labels == 0).cumprod(axis=1).astype(bool)
    not_last = np.arange(read.shape[1]) < read.sum(axis=1, keepdims=True) - 1
    stripped = np.zeros_like(read)
    np.put_along_axis(stripped, order, zero & not_last, axis=1)
    reasons[stripped] = Reason.LEADING_ZERO
    return read & ~stripped


def _spell(block: Block, read: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the read slots as code points from the left (B, K), and each slot's position."""
    in_order = np.take_along_axis(read, order, axis=1)
    position = np.where(in_order, in_order.cumsum(axis=1) - 1, -1)
    rows, slots = np.nonzero(in_order)
    codes = np.zeros(read.shape, dtype=np.uint32)
    digits = np.take_along_axis(block.labels, order, axis=1)[rows, slots]
    codes[rows, position[rows, slots]] = ord('0') + digits
    positions = np.empty_like(position)
    np.put_along_axis(positions, order, position, axis=1)
    return codes, positions


def _rank(keys: np.ndarray) -> np.ndarray:
    """Return the rank (B, K) of each key within its row; the first of equal keys ranks first."""
    return np.argsort(np.argsort(keys, axis=1, kind='stable'), axis=1, kind='stable')
