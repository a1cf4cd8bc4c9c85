"""Accuracy against cost, one panel per data set and kind of cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from tradeoff_points import TradeoffPoint, find_front

from mmdet_digits.files import write_figure

POINT, FRONT, KNEE = '#0072B2', '0.6', '#D55E00'
LOG_FROM = 3  # times the smallest cost
SLANT = 60  # degrees


@dataclass(frozen=True)
class TradeoffPanel:
    """What one panel shows.

    Attributes:
        title: its heading.
        cost: what the cost is, with its unit.
        points: the choices.
        knee: name of the one to mark.
    """

    title: str
    cost: str
    points: Sequence[TradeoffPoint]
    knee: str | None = None


def save_tradeoff_figure(
    path: Path | str, rows: Sequence[Sequence[TradeoffPanel]], quantity: str, caption: str
) -> None:
    """Write the figure of :func:`draw_tradeoff_figure` to a PNG file."""
    write_figure(path, draw_tradeoff_figure(rows, quantity, caption), dpi=150)


def draw_tradeoff_figure(
    rows: Sequence[Sequence[TradeoffPanel]], quantity: str, caption: str
) -> Figure:
    """Draw panels in rows that share their axis of accuracy.

    Each point has its interval, and its name, in turn above and below that. A ring marks the knee,
    a line joins the points that no other beats. An axis of costs that differ much is logarithmic.

    Args:
        rows: the panels, as many in each row.
        quantity: what the accuracies are; they are shown in percent.
        caption: what was measured, on what, where.
    """
    columns = len(rows[0])
    size = (5.2 * columns + 0.6, 4.0 * len(rows) + 0.7)
    figure = Figure(figsize=size, layout='constrained')
    places = figure.subplots(len(rows), columns, sharey='row', squeeze=False)
    for panels, axes_of_row in zip(rows, places, strict=True):
        axes_of_row[0].set_ylabel(f'{quantity} in %')
        for panel, axes in zip(panels, axes_of_row, strict=True):
            _dress(axes, panel)
            _draw(axes, panel)
    figure.supxlabel(caption, fontsize=8, color='0.35')
    return figure


def _dress(axes: Axes, panel: TradeoffPanel) -> None:
    axes.set_title(panel.title, loc='left', fontsize=10, fontweight='bold')
    if panel.knee:
        axes.set_title(f'knee: {panel.knee}', loc='right', fontsize=9, color=KNEE)
    axes.set_xlabel(panel.cost)
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(color='0.9', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color='0.5')
    axes.margins(x=0.12, y=0.34)
    costs = [point.cost for point in panel.points]
    if costs and max(costs) > LOG_FROM * min(costs):
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter('{:g}'.format))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _draw(axes: Axes, panel: TradeoffPanel) -> None:
    front = find_front(panel.points)
    axes.plot(*_places(front), color=FRONT, linewidth=1.2, drawstyle='steps-post', zorder=1)
    for number, point in enumerate(sorted(panel.points, key=lambda point: point.cost)):
        errors = [[100 * (point.accuracy - point.low)], [100 * (point.high - point.accuracy)]]
        place = (point.cost, 100 * point.accuracy)
        style = dict(fmt='o', color=POINT, markersize=5, elinewidth=0.8, alpha=0.9, capsize=2)
        axes.errorbar(*place, yerr=errors, **style)
        is_knee, above = point.name == panel.knee, number % 2 == 0  # neighbours must not collide
        axes.annotate(
            point.name,
            (point.cost, 100 * (point.high if above else point.low)),
            xytext=(0, 5 if above else -5),
            textcoords='offset points',
            rotation=SLANT if above else -SLANT,
            rotation_mode='anchor',
            va='center',
            fontsize=8,
            color=KNEE if is_knee else 'black',
        )
        if is_knee:
            ring = dict(markersize=13, fillstyle='none', color=KNEE, markeredgewidth=1.8)
            axes.plot(*place, 'o', **ring)


def _places(points: Sequence[TradeoffPoint]) -> tuple[list[float], list[float]]:
    return [point.cost for point in points], [100 * point.accuracy for point in points]
