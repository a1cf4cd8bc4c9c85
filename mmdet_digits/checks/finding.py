"""The outcome of one check, as every part of the project reports it."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum

from mmdet_digits.errors import InputError, in_lines
from mmdet_digits.repository import tool_command


class Status(StrEnum):
    """How a check came out."""

    OK = 'ok'
    WARN = 'warn'
    FAIL = 'fail'


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, said so that it can be put right.

    Args:
        name: What was looked at, or, where it is wrong, what is wrong.
        status: ``ok``, ``warn`` (worth knowing, nothing stops) or ``fail``.
        found: What is there; for a list of cases the count and the first ten of them.
        expected: What should be there. Empty where nothing is wrong.
        fix: How to put it right. Empty where nothing is wrong.
    """

    name: str
    status: Status
    found: str
    expected: str = ''
    fix: str = ''

    def __str__(self) -> str:
        return in_lines(self.name, self.found, self.expected, self.fix)

    def as_dict(self) -> dict[str, str]:
        """The fields by name, for JSON."""
        return asdict(self)


def first_ten(items: list) -> str:
    """Say how many there are and which the first ten are: ``'12: a, b, ..., j and 2 more'``."""
    shown = ', '.join(map(str, items[:10]))
    return f'{len(items):,}: {shown}' + (
        f' and {len(items) - 10:,} more' if len(items) > 10 else ''
    )


def attempt(
    title: str, check: Callable, *arguments: object, broken: Status = Status.FAIL
) -> list[Check]:
    """Make a check that may not be able to run here.

    Args:
        title: What to call it if it raises.
        check: Returns one :class:`Check` or a list of them.
        *arguments: Passed to ``check``.
        broken: What it means that the check raises.

    Returns:
        What ``check`` returned; or one that says what it raised, whatever that is.
    """
    try:
        outcome = check(*arguments)
    except InputError as error:
        return [Check(error.what, Status.FAIL, error.found, error.expected, error.fix)]
    except (Exception, SystemExit) as error:  # broken installations raise anything
        logging.getLogger(__name__).debug(title, exc_info=True)
        found = f'{type(error).__name__}: {error}'
        fix = f'{tool_command("doctor")} --debug shows where'
        return [Check(f'{title}: the check broke off.', broken, found, 'a check that runs', fix)]
    return outcome if isinstance(outcome, list) else [outcome]
