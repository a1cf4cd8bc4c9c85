"""Curves of one training or several as small multiples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmdet_digits.errors import InputError
from mmdet_digits.files import write_figure
from mmdet_digits.runs.run_history import RunHistory

#: Okabe and Ito's colours, which the colour-blind tell apart, without yellow, which is too pale.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
STYLES = [(color, line) for line, color in product(('-', '--', ':'), COLORS)]
COLUMNS = 3
POINTS = 200
TERMS = 'loss terms'
LABELS = {
    'loss_rpn_cls': 'RPN class',
    'loss_rpn_bbox': 'RPN box',
    'loss_cls': 'RoI class',
    'loss_bbox': 'RoI box',
}


@dataclass(frozen=True)
class Panel:
    """What one panel shows.

    Attributes:
        title: Its heading.
        curve: Takes a run, returns values per iteration or per epoch.
        per_epoch: Which of the two.
        best: ``max`` or ``min`` to mark the best value.
        from_zero: Whether the axis begins at zero.
    """

    title: str
    curve: Callable[[RunHistory], dict[int, float]]
    per_epoch: bool = False
    best: Callable | None = None
    from_zero: bool = True


def _logged(title: str, key: str) -> Panel:
    return Panel(title, lambda run: run.series(key))


def _validated(title: str, key: str, best: Callable = max) -> Panel:
    return Panel(title, lambda run: run.series(key, 'validations'), True, best, from_zero=False)


PANELS = (
    _logged('training loss', 'loss'),
    _validated('validation loss', 'val/loss', min),
    Panel(TERMS, lambda run: run.series('loss_cls')),
    _validated('mAP', 'coco/bbox_mAP'),
    _validated('AP50', 'coco/bbox_mAP_50'),
    _validated('number accuracy', 'number/accuracy'),
    _validated('digit precision', 'digits/precision'),
    _validated('digit recall', 'digits/recall'),
    _validated('digit F1', 'digits/f1'),
    _logged('learning rate', 'lr'),
    _logged('seconds per iteration', 'time'),
    Panel('peak memory in MiB', RunHistory.memory),
)


def save_run_figure(path: Path | str, runs: Mapping[str, RunHistory]) -> None:
    """Write the figure of :func:`draw_run_figure` to a file.

    Args:
        path: Its ending says the format.
        runs: The runs by the names that the legend gives them.

    Raises:
        InputError: as :func:`draw_run_figure`; or the ending is not that of a figure.
    """
    form = _file_format(path)
    write_figure(path, draw_run_figure(runs), dpi=150, form=form)


def draw_run_figure(runs: Mapping[str, RunHistory]) -> Figure:
    """Draw the curves of one run or of several, laid over each other.

    A panel without data is left out; the terms of the training loss are shown for a single run. A
    ring marks the best epoch. Long curves are averaged over neighbours.

    Args:
        runs: The runs by the names that the legend gives them.

    Raises:
        InputError: there are more runs than can be told apart, or nothing is logged.
    """
    panels = _choose_panels(runs)
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.1 * rows + 0.6), layout='constrained')
    places = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axes, panel in zip(places, panels, strict=False):
        _dress(axes, panel.title)
        if panel.title == TERMS:
            _draw_terms(axes, *runs.values())
        else:
            for run, style in zip(runs.values(), STYLES, strict=False):
                _draw_run(axes, panel, run, *style)
        if panel.from_zero:
            axes.set_ylim(0, 1.08 * axes.dataLim.ymax or 1)
        else:
            axes.set_ylim(bottom=max(0, axes.get_ylim()[0]))
    places[0].set_xlim(left=0)
    for axes in places[len(panels) :]:
        axes.remove()
    _draw_legend(figure, runs)
    figure.supxlabel('epoch', fontsize=10)
    return figure


def _choose_panels(runs: Mapping[str, RunHistory]) -> list[Panel]:
    if len(runs) > len(STYLES):
        raise InputError(
            'Too many runs for one figure.',
            str(len(runs)),
            f'at most {len(STYLES)}',
            'draw them in groups',
        )
    panels = [panel for panel in PANELS if any(map(panel.curve, runs.values()))]
    if not panels:
        raise InputError(
            'There is nothing to draw.',
            f'nothing of a training in {", ".join(runs)}',
            ', '.join(panel.title for panel in PANELS),
            'wait for the first iterations',
        )
    return [panel for panel in panels if panel.title != TERMS or len(runs) == 1]


def _file_format(path: Path | str) -> str:
    known = Figure().canvas.get_supported_filetypes()
    ending = Path(path).suffix.lower().lstrip('.')
    if ending not in known:
        raise InputError(
            f'{path}: not the name of a figure.',
            f'the ending {ending!r}',
            f'one of {", ".join(known)}',
            f'name it {Path(path).stem}.png',
        )
    return ending


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc='left', fontsize=10, fontweight='bold')
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(color='0.9', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color='0.5', labelbottom=True)
    axes.ticklabel_format(axis='y', style='plain', useOffset=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _draw_run(axes: Axes, panel: Panel, run: RunHistory, color: str, line: str) -> None:
    curve = panel.curve(run)
    style = dict(color=color, linestyle=line, linewidth=1.3)
    if not panel.per_epoch:
        axes.plot(*_thinned(run, curve), **style)
        return
    axes.plot(curve.keys(), curve.values(), marker='.', markersize=5, **style)
    if curve:
        at = panel.best(curve, key=curve.get)
        axes.plot(at, curve[at], 'o', markersize=9, fillstyle='none', color=color, clip_on=False)


def _draw_terms(axes: Axes, run: RunHistory) -> None:
    for (key, label), color in zip(LABELS.items(), COLORS[1:], strict=False):
        curve = run.series(key)
        if curve:
            axes.plot(*_thinned(run, curve), color=color, linewidth=1.3, label=label)
    axes.legend(fontsize=8, frameon=False, ncols=2)


def _thinned(run: RunHistory, curve: dict[int, float]) -> tuple[list[float], list[float]]:
    """Epochs and values, averaged over neighbours to at most ``POINTS``."""
    epochs = [run.epoch_at(at) for at in curve]
    parts = min(POINTS, len(curve))
    return tuple(
        [part.mean() for part in np.array_split(values, parts)] if parts else []
        for values in (epochs, list(curve.values()))
    )


def _draw_legend(figure: Figure, runs: Mapping[str, RunHistory]) -> None:
    lines = [
        figure.axes[0].plot([], [], color=color, linestyle=line, linewidth=2, label=name)[0]
        for name, (color, line) in zip(runs, STYLES, strict=False)
    ]
    figure.legend(handles=lines, loc='outside upper center', ncols=min(4, len(runs)), frameon=False)
