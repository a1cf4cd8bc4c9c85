"""One page about one training or several: what ran, what it cost, curves, tests, config."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
from markupsafe import Markup

from mmdet_digits.checks.dumped_config import get_setting
from mmdet_digits.files import read_json
from mmdet_digits.runs.run_history import RunHistory
from mmdet_digits.runs.run_summary import find_differences, summarize_run
from mmdet_digits.visualization.metrics_table import metric_rows
from mmdet_digits.visualization.pages import render
from mmdet_digits.visualization.run_figure import draw_run_figure
from mmdet_digits.visualization.run_table import UNKNOWN, comparison_rows

#: What a run is described by: path in its config -> what the page calls it.
FACTS = {
    'model.type': 'detector',
    'train_cfg.max_epochs': 'epochs planned',
    'train_dataloader.batch_size': 'batch, per process',
    'optim_wrapper.optimizer.type': 'optimizer',
    'optim_wrapper.optimizer.lr': 'learning rate',
    'optim_wrapper.type': 'precision by',
    'load_from': 'weights at the start',
    'randomness.seed': 'seed',
}
IGNORED = ('work_dir', 'experiment_name', 'launcher')
TESTED = 'metrics.json'


def run_report(runs: Mapping[str, RunHistory]) -> str:
    """Write the page. The same runs give the same bytes.

    Args:
        runs: the runs by their names; each is a column.

    Raises:
        InputError: a run has figures of a test that cannot be read, or nothing is logged.
    """
    summaries = {name: summarize_run(run) for name, run in runs.items()}
    return render(
        'run_report.html.jinja',
        names=list(runs),
        facts=fact_rows(runs),
        cost=comparison_rows(summaries),
        notes=[note for run in runs.values() for note in run.notes] + find_differences(runs),
        curves=Markup(_curves(runs)),
        tests=rows_of_tests(runs),
        differences=difference_rows(runs),
        configs={name: _config_text(run) for name, run in runs.items()},
    )


def fact_rows(runs: Mapping[str, RunHistory]) -> list[list[str]]:
    """What was run, as rows of text: first the names, then one fact a row, a run a column."""
    rows = [
        [name, *(str(get_setting(run.settings, path, UNKNOWN)) for run in runs.values())]
        for path, name in FACTS.items()
    ]
    return [['', *runs], *rows]


def rows_of_tests(runs: Mapping[str, RunHistory]) -> list[list[str]]:
    """The figures of tests, likewise; only the heading where no run was tested."""
    tests = {}
    for name, run in runs.items():
        path = run.folder / TESTED
        figures = read_json(path, 'figures of tools/test.py') if path.is_file() else {}
        tests[name] = dict(metric_rows(figures))
    labels = dict.fromkeys(label for figures in tests.values() for label in figures)
    rows = [[label, *(tests[name].get(label, UNKNOWN) for name in runs)] for label in labels]
    return [['', *runs], *rows]


def difference_rows(runs: Mapping[str, RunHistory]) -> list[list[str]]:
    """Where configs differ, likewise, by their paths; only the heading where they do not."""
    flat = {name: dict(_flat(run.settings)) for name, run in runs.items()}
    paths = dict.fromkeys(path for values in flat.values() for path in values)
    rows = []
    for path in paths:
        values = [flat[name].get(path, UNKNOWN) for name in runs]
        if len(set(values)) > 1 and not path.startswith(IGNORED):
            rows.append([path, *values])
    return [['', *runs], *rows]


def _flat(value: Any, path: str = '') -> Iterator[tuple[str, str]]:
    """The leaves of nested dicts and lists, by their paths."""
    if isinstance(value, dict | list | tuple) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _flat(item, f'{path}.{key}' if path else str(key))
    else:
        yield path, repr(value)


def _curves(runs: Mapping[str, RunHistory]) -> str:
    """The figure of the runs as SVG, without what differs from one drawing to the next."""
    content = io.StringIO()
    with mpl.rc_context({'svg.hashsalt': 'mmdet-digits', 'svg.fonttype': 'none'}):
        draw_run_figure(runs).savefig(content, format='svg', metadata={'Date': None})
    text = content.getvalue()
    return text[text.index('<svg') :]


def _config_text(run: RunHistory) -> str:
    files = sorted(run.folder.glob('*/vis_data/config.py'))
    return files[-1].read_text(encoding='utf-8') if files else UNKNOWN
