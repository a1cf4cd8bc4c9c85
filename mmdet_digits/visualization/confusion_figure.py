"""The confusion matrix of the digits as a figure."""

from pathlib import Path

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from mmdet_digits.assembly.digit_confusion import NO_DIGIT, confusion_rates
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.files import write_figure


def save_confusion_figure(path: Path | str, counts: np.ndarray, subtitle: str = '') -> None:
    """Draw counts and rates side by side.

    Args:
        path: The PNG to write.
        counts: Counts (11, 11) of ``digit_confusion``.
        subtitle: What they were made from.
    """
    rates = confusion_rates(counts)
    figure = Figure(figsize=(14, 6.6), layout='constrained')
    figure.suptitle(f'Which digit is read as which\n{subtitle}', fontsize=12)
    left, right = figure.subplots(1, 2)
    _draw_matrix(left, rates, [[str(n) if n else '' for n in row] for row in counts], 'counts')
    cells = [[f'{100 * rate:.1f}' if rate else '' for rate in row] for row in rates]
    image = _draw_matrix(right, rates, cells, 'share of the row in %')
    bar = figure.colorbar(image, ax=[left, right], shrink=0.8, pad=0.01)
    bar.set_label('share of the row')
    write_figure(path, figure, dpi=110)


def _draw_matrix(axes, rates: np.ndarray, cells: list[list[str]], title: str):
    image = axes.imshow(rates, cmap='Blues', norm=PowerNorm(0.5, 0, 1))
    axes.set_title(title)
    axes.set_xticks(range(11), [*DIGITS, 'missed'])
    axes.set_yticks(range(11), [*DIGITS, 'extra'])
    axes.set(xlabel='read', ylabel='true')
    axes.tick_params(length=0)
    for edge in (NO_DIGIT - 0.5,):
        axes.axhline(edge, color='0.3', linewidth=1)
        axes.axvline(edge, color='0.3', linewidth=1)
    for row, texts in enumerate(cells):
        for column, text in enumerate(texts):
            color = 'white' if rates[row, column] > 0.35 else 'black'
            axes.text(column, row, text, ha='center', va='center', fontsize=8.5, color=color)
    return image
