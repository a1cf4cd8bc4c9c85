"""Heat maps of a sweep over score threshold and IoU."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mmdet_digits.files import write_figure


@dataclass(frozen=True)
class HeatMap:
    """One panel.

    Attributes:
        title: Its heading.
        table: Shares (len(ious), len(scores)), NaN where there is none.
        marked: Cell (score, IoU) to frame, e.g. the chosen one.
        outlined: Cells (score, IoU) to outline thinly.
    """

    title: str
    table: np.ndarray
    marked: tuple[float, float | None] | None = None
    outlined: Sequence[tuple[float, float | None]] = ()


def save_sweep_figure(
    path: Path | str,
    maps: Sequence[HeatMap],
    scores: Sequence[float],
    ious: Sequence[float | None],
    quantity: str,
) -> None:
    """Draw heat maps one above the other, on one colour scale.

    Args:
        path: The PNG to write.
        maps: The panels.
        scores: Score thresholds, the columns.
        ious: IoU thresholds, the rows; None is "keep duplicates".
        quantity: What the values are; they are shown in percent.
    """
    maps = [replace(heat, table=100 * heat.table) for heat in maps]
    values = np.concatenate([heat.table[np.isfinite(heat.table)] for heat in maps])
    high = values.max()
    low = min(np.quantile(values, 0.1), high - 0.1)  # a useless corner must not eat the scale
    size = (0.62 * len(scores) + 2.6, (0.36 * len(ious) + 1.5) * len(maps))
    figure = Figure(figsize=size, layout='constrained')
    panels = figure.subplots(len(maps), 1, squeeze=False)[:, 0]
    for axes, heat in zip(panels, maps, strict=True):
        image = axes.imshow(heat.table, cmap='viridis', vmin=low, vmax=high, aspect='auto')
        axes.set_title(heat.title, fontsize=11)
        axes.set_xticks(range(len(scores)), [f'{score:g}' for score in scores])
        axes.set_yticks(range(len(ious)), ['none' if iou is None else f'{iou:g}' for iou in ious])
        axes.set(xlabel='score threshold', ylabel='IoU threshold')
        _write_values(axes, heat.table, low, high)
        for score, iou in heat.outlined:
            _frame(axes, scores, ious, score, iou, color='white', linewidth=1.2, linestyle=':')
        if heat.marked:
            _frame(axes, scores, ious, *heat.marked, color='#ff3b30', linewidth=2.6)
    figure.colorbar(image, ax=list(panels), label=f'{quantity} in %', pad=0.01, extend='min')
    write_figure(path, figure, dpi=110)


def _write_values(axes, table: np.ndarray, low: float, high: float) -> None:
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            if np.isfinite(value):
                color = 'black' if value > low + 0.6 * (high - low) else 'white'
                text = f'{value:.1f}'
                axes.text(column, row, text, ha='center', va='center', fontsize=7.5, color=color)


def _frame(axes, scores, ious, score, iou, **style) -> None:
    if score in scores and iou in ious:
        corner = (list(scores).index(score) - 0.5, list(ious).index(iou) - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, **style))
