"""How a check says which cases it found."""

import reprlib

from mmdet_digits.checks.finding import Check, Status, first_ten

#: The command that writes a repaired copy.
REPAIR = 'tools/check_data.py --fix OUT'

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def report(
    name: str,
    cases: list,
    expected: str,
    fix: str,
    status: Status = Status.FAIL,
    among: str = '',
    repair: str = '',
) -> Check:
    """A check that is fine where there is no case, and otherwise shows the first ten.

    Args:
        name: what was looked for.
        cases: one text per case.
        expected: what should be there instead.
        fix: how to put it right.
        status: how bad a case is.
        among: what was looked through, e.g. ``'621 images'``, where that needs saying.
        repair: what the repair does about it, e.g. ``'drops them'``.
    """
    if not cases:
        return Check(name, Status.OK, f'none of {among}' if among else 'none')
    if repair:
        fix = f'{fix}; {REPAIR} {repair}'
    return Check(name, status, first_ten(cases), expected, fix)


def shown(value: object) -> str:
    """A value from a file as text that can be printed: shortened, on one line, escaped."""
    try:
        return _REPR.repr(value).encode('utf-8', 'backslashreplace').decode()
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f'{type(value).__name__} too long to show'
