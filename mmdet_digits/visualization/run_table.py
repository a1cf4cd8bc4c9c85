"""Runs side by side, as a table in the terminal and in Markdown."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from mmdet_digits.runs.run_summary import RunSummary

UNKNOWN = '-'
#: Metric key -> what the table calls its best value, in its order.
BEST_ROWS = {
    'coco/bbox_mAP': 'best mAP (epoch)',
    'coco/bbox_mAP_50': 'best AP50 (epoch)',
    'number/accuracy': 'best number accuracy (epoch)',
    'digits/precision': 'best precision (epoch)',
    'val/loss': 'lowest val loss (epoch)',
}


def comparison_rows(summaries: Mapping[str, RunSummary]) -> list[list[str]]:
    """Lay runs out as rows of text: first the names, then one figure a row, a run a column.

    What is not known is a dash.

    Args:
        summaries: The figures by the names of the runs.
    """
    own = dict.fromkeys(key for run in summaries.values() for key in run.last)
    cells = {
        'epochs': lambda run: f'{run.epochs}',
        'images seen': lambda run: _optional(run.images_seen, '{:,}'),
        'time per epoch': lambda run: _duration(run.seconds_per_epoch),
        'peak memory': _memory,
        'largest batch': _largest_batch,
        **{name: _at_epoch('best', key) for key, name in BEST_ROWS.items()},
        **{f'last {key} (epoch)': _at_epoch('last', key) for key in own},
        'numbers made by': lambda run: run.number_assembly or UNKNOWN,
    }
    rows = [[name, *map(cell, summaries.values())] for name, cell in cells.items()]
    return [['', *summaries], *rows]


def comparison_table(rows: list[list[str]]) -> Table:
    """Turn rows of text, the first a heading, into a table for the terminal."""
    table = Table()
    for place, name in enumerate(rows[0]):
        table.add_column(Text(name), justify='right' if place else 'left')
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    return table


def comparison_markdown(rows: list[list[str]]) -> str:
    """Turn rows of text, the first a heading, into a Markdown table."""
    rule = ['---', *['---:'] * (len(rows[0]) - 1)]
    cells = [[cell.replace('|', '\\|') for cell in row] for row in (rows[0], rule, *rows[1:])]
    return ''.join(f'| {" | ".join(row)} |\n' for row in cells)


def _optional(value, form: str) -> str:
    return UNKNOWN if value is None else form.format(value)


def _duration(seconds: float | None) -> str:
    if seconds is None or seconds < 100:
        return _optional(seconds, '{:.1f} s')
    return f'{seconds / 60:.1f} min'


def _memory(run: RunSummary) -> str:
    return _optional(run.peak_memory_mib, f'{{:,.0f}} MiB ({run.memory_of})')


def _largest_batch(run: RunSummary) -> str:
    measured = run.largest_batch
    return '{largest_batch} in {memory}'.format(**measured) if measured else 'not measured'


def _at_epoch(which: str, key: str):
    def cell(run: RunSummary) -> str:
        found = getattr(run, which).get(key)
        return f'{found.value:.3f} ({found.epoch})' if found else UNKNOWN

    return cell
