"""How images to be read are cropped, over how those to learn from are, as a figure."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdet_digits.checks.data.cropping import Crops, differ, size_factor, zoom_out_share
from mmdet_digits.files import write_figure

PANELS = {
    'digit_heights': "height of the digits / image's height",
    'number_widths': "width of the number / image's width",
    'aspects': 'width of the image / its height',
    'centers_x': "centre of the number / image's width",
    'centers_y': "centre of the number / image's height",
    'image_heights': 'height of the image in pixels',
}
UNBOUNDED = ('aspects', 'image_heights')
STYLES = (
    dict(color='C0', linestyle='-'),
    dict(color='C3', linestyle='-'),
    dict(color='0.4', linestyle='--'),
)


def save_crop_figure(path: Path | str, train: Crops, other: Crops, source: str) -> None:
    """Draw the distributions of both sets over each other.

    Args:
        path: The PNG to write.
        train: The images to learn from; some have a digit.
        other: Those to be read; some have a digit.
        source: What those are.
    """
    samples = {
        name: {'train': getattr(train, name), 'to be read': getattr(other, name)} for name in PANELS
    }
    title = (
        f'{source}: digits are {size_factor(train, other):.2f} times as high as in train, '
        f'in {other.images}'
    )
    low, high = zoom_out_share(train.digit_heights, other.digit_heights)
    if low < 1 and differ(train.digit_heights, other.digit_heights):
        zoomed = np.outer(train.digit_heights, np.linspace(low, high, 21)).ravel()
        samples['digit_heights']['train zoomed out'] = zoomed
        title += f'\nRandomZoomOut with share=({low:g}, {high:g}) makes train like them'
    figure = Figure(figsize=(13, 7), layout='constrained')
    figure.suptitle(title, fontsize=12)
    for axes, (name, label) in zip(figure.subplots(2, 3).flat, PANELS.items(), strict=True):
        _draw_histograms(axes, samples[name], name in UNBOUNDED)
        axes.set_xlabel(label)
    write_figure(path, figure, dpi=100)


def _draw_histograms(axes: Axes, samples: dict[str, np.ndarray], unbounded: bool) -> None:
    """Draw a histogram of each sample, in shares of it, with its median."""
    top = np.quantile(np.concatenate([*samples.values()]), 0.99) if unbounded else 1.0
    bins = np.linspace(0, top, 41)
    for (name, values), style in zip(samples.items(), STYLES, strict=False):
        median, weights = np.median(values), np.full(len(values), 100 / len(values))
        axes.hist(values, bins, weights=weights, histtype='step', linewidth=1.8, **style)
        axes.axvline(median, linewidth=0.8, label=f'{name}: {median:.3g}', **style)
    axes.set(xlim=(0, top), ylim=(0, 1.5 * axes.get_ylim()[1]), ylabel='% of the images')
    axes.legend(fontsize=9, title='medians', loc='upper right')
