"""Checks as a table, as plain text or as JSON.

At import this needs nothing but Python; the table needs rich.
"""

import json
import sys
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from itertools import groupby

from mmdet_digits.checks.finding import Check, Status

PIPE_WIDTH = 120
MOST_OF_NAME = 40

Grouped = Sequence[tuple[str, Check]]


def print_report(checks: Grouped, brief: Container[str]) -> None:
    """Print every check to stdout: as a table if rich can be imported.

    Args:
        checks: each with the group it belongs to.
        brief: groups of which what is fine is no more than counted.
    """
    rows = condensed(checks, brief)
    try:
        print_table(rows)
    except Exception:  # a broken rich raises anything
        print(plain_text(rows))
    print(f'\n{count_checks(check for _, check in checks)}')


def condensed(checks: Grouped, brief: Container[str]) -> list[tuple[str, Check]]:
    """Merge the sound checks of each group in ``brief`` to one row at its end."""
    rows = []
    for group, members in groupby(checks, key=lambda row: row[0]):
        members = list(members)
        sound = [row for row in members if group in brief and row[1].status is Status.OK]
        rows += [row for row in members if row not in sound]
        if sound:
            fine = Check(f'{len(sound)} checks', Status.OK, 'went well (--json names them)')
            rows.append((group, fine))
    return rows


def print_table(checks: Grouped) -> None:
    """Print the checks with rich."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {Status.OK: 'green', Status.WARN: 'yellow', Status.FAIL: 'bold red'}
    table = Table(box=None, pad_edge=False)
    table.add_column('')
    table.add_column('check', max_width=MOST_OF_NAME)
    table.add_column('found', overflow='fold')
    for group, members in groupby(checks, key=lambda row: row[0]):
        table.add_section()
        table.add_row('', Text(f'\n{group}', style='bold'))
        for _, check in members:
            style = styles[check.status]
            table.add_row(Text(check.status, style=style), Text(check.name), Text(details(check)))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, markup=False).print(table)


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


def count_checks(checks: Iterable[Check]) -> str:
    """Like ``'1 fail, 3 warn, 60 ok'``."""
    count = Counter(check.status for check in checks)
    return ', '.join(f'{count[status]} {status}' for status in reversed(Status))


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
