"""The report of the doctor, as a table, as plain text or as JSON.

At import this needs nothing but Python; the table needs rich.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from mmdet_digits.utils.checks import Check, Status

PIPE_WIDTH = 120
MOST_OF_NAME = 40

Grouped = Sequence[tuple[str, Check]]


def print_report(checks: Grouped) -> None:
    """Print every check to stdout: as a table if rich can be imported."""
    rows = condensed(checks)
    try:
        print_table(rows)
    except Exception:  # a broken rich raises anything
        print(plain_text(rows))
    print(summary(checks))


def condensed(checks: Grouped) -> list[tuple[str, Check]]:
    """Merge the sound checks ``'train: ...'`` to one row per split, in the place of the last."""
    sound = Counter(_split(check) for _, check in checks)
    last = {_split(check): index for index, (_, check) in enumerate(checks)}
    rows = []
    for index, (group, check) in enumerate(checks):
        split = _split(check)
        if not split:
            rows.append((group, check))
        elif index == last[split]:
            found = f'{sound[split]} checks went well (--json names them)'
            rows.append((group, Check(split, Status.OK, found)))
    return rows


def _split(check: Check) -> str:
    """The split that a sound check of the data belongs to."""
    split, colon, _ = check.name.partition(': ')
    return split if colon and check.status is Status.OK else ''


def print_table(checks: Grouped) -> None:
    """Print the checks with rich."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mmdet_digits.visualization.checks_table import STYLES

    table = Table(box=None, pad_edge=False)
    table.add_column('')
    table.add_column('check', max_width=MOST_OF_NAME)
    table.add_column('found', overflow='fold')
    for group, members in groupby(checks, key=lambda row: row[0]):
        table.add_section()
        table.add_row('', Text(f'\n{group}', style='bold'))
        for _, check in members:
            style = STYLES[check.status]
            table.add_row(Text(check.status, style=style), Text(check.name), Text(details(check)))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def plain_text(checks: Grouped) -> str:
    """The checks as lines of text."""
    lines = []
    for group, members in groupby(checks, key=lambda row: row[0]):
        lines += ['', group]
        for _, check in members:
            lines.append(f'  {check.status:4}  {check.name}')
            lines += [f'          {line}' for line in details(check).splitlines()]
    return '\n'.join(lines)


def details(check: Check) -> str:
    """What was found, and what was expected and helps where something is wrong."""
    lines = [check.found]
    lines += [f'expected: {check.expected}'] if check.expected else []
    lines += [f'fix: {check.fix}'] if check.fix else []
    return '\n'.join(lines)


def summary(checks: Grouped) -> str:
    """How many checks came out how."""
    count = Counter(check.status for _, check in checks)
    return (
        f'\n{len(checks)} checks: {count[Status.OK]} ok, {count[Status.WARN]} warnings, '
        f'{count[Status.FAIL]} failures'
    )


def as_json(checks: Grouped) -> str:
    """The checks for machines."""
    count = Counter(str(check.status) for _, check in checks)
    return json.dumps(
        {
            **{status: count[status] for status in Status},
            'checks': [{'group': group, **check.as_dict()} for group, check in checks],
        },
        indent=2,
    )
