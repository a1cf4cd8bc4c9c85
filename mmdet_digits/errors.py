"""The exceptions that are meant to be read by the user, and how their messages quote names."""

import csv
import io
import shlex
from collections.abc import Iterable
from pathlib import Path


def in_lines(what: str, found: str = '', expected: str = '', fix: str = '') -> str:
    """A message in lines: what is wrong, what was found and expected, and how to put it right."""
    parts = {'found:   ': found, 'expected:': expected, 'fix:': fix}
    return '\n'.join([what, *(f'  {name} {text}' for name, text in parts.items() if text)])


class InputError(ValueError):
    """Something the user gave is wrong and the user can put it right.

    The tools print the message without a traceback and exit with status 1.

    Args:
        what: what is wrong, and in which file or option; or the whole message.
        found: what is there.
        expected: what should be there.
        fix: how to put it right.
    """

    def __init__(self, what: str, found: str = '', expected: str = '', fix: str = '') -> None:
        self.what, self.found, self.expected, self.fix = what, found, expected, fix
        super().__init__(in_lines(what, found, expected, fix))


class RunError(InputError):
    """A run met something that it cannot go on with: memory, disk or numbers that ran out."""


class Interrupted(KeyboardInterrupt):
    """A run stopped because a signal asked it to.

    Args:
        message: what was saved and how to go on, in one line.
        exit_status: 128 + the number of the signal, as shells have it.
    """

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def quoted_list(names: Iterable[str]) -> str:
    """The argument of a command line that :func:`name_list` reads these names from."""
    text = io.StringIO()
    csv.writer(text, lineterminator='').writerow(names)
    return shlex.quote(text.getvalue())


def failure_line(path: Path, error: Exception, what: str = 'cannot be used') -> str:
    """Say in one line, which every terminal can show, what is wrong with a file."""
    if isinstance(error, InputError):
        text = f'{error.what.rstrip(".")}: {error.found}'
    elif isinstance(error, UnicodeEncodeError):
        text = f'{path}: its name is not UTF-8; rename it'
    else:
        text = f'{path}: {what}: {str(error).strip() or type(error).__name__}'
    return ''.join(char if char.isprintable() else repr(char)[1:-1] for char in text)
