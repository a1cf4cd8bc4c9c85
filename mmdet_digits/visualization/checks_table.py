"""Checks as a table: what is wrong in full, what is fine in one line."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from mmdet_digits.utils.checks import Check, Status

STYLES = {Status.OK: 'green', Status.WARN: 'yellow', Status.FAIL: 'bold red'}


def checks_table(checks: Sequence[Check], title: str = '') -> Table:
    """Lay checks out as a table, failures first.

    Args:
        checks: what was looked at.
        title: stands above the table.
    """
    table = Table(title=Text(title), title_justify='left', show_lines=True)
    table.add_column('')
    table.add_column('check', max_width=30)
    table.add_column('found, expected and how to fix it', overflow='fold')
    for status in (Status.FAIL, Status.WARN):
        for check in checks:
            if check.status is status:
                table.add_row(Text(status, STYLES[status]), Text(check.name), _details(check))
    fine = [check.name for check in checks if check.status is Status.OK]
    if fine:
        ok = Text(Status.OK, STYLES[Status.OK])
        table.add_row(ok, Text(f'{len(fine)} checks'), Text(', '.join(fine), 'dim'))
    return table


def count_checks(checks: Iterable[Check]) -> str:
    """Like ``'1 fail, 3 warn, 60 ok'``."""
    statuses = [check.status for check in checks]
    return ', '.join(f'{statuses.count(s)} {s}' for s in (Status.FAIL, Status.WARN, Status.OK))


def _details(check: Check) -> Text:
    details = Text(check.found)
    for name in ('expected', 'fix'):
        if getattr(check, name):
            details.append(f'\n{name}: ', 'bold').append(getattr(check, name))
    return details
