"""Types for argparse whose messages say what was found and what was expected."""

import csv
import io
import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or not 0 <= value <= 1:
        raise ArgumentTypeError(f'found {text!r}, expected a number from 0 to 1')
    return value


def natural(text: str, least: int = 0) -> int:
    """A whole number, 0 or more."""
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least:
        raise ArgumentTypeError(f'found {text!r}, expected a whole number, {least} or more')
    return value


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    return natural(text, least=1)


def name_list(text: str) -> list[str]:
    """Names of a line of CSV, so that ``border,","`` is two of them."""
    return [name.strip() for name in next(csv.reader([text]), [])]


def quoted_list(names: Iterable[str]) -> str:
    """The argument of a command line that :func:`name_list` reads these names from."""
    text = io.StringIO()
    csv.writer(text, lineterminator='').writerow(names)
    return shlex.quote(text.getvalue())


def add_ignore_classes(parser: ArgumentParser) -> None:
    """Add the option of the tools that read COCO files."""
    parser.add_argument(
        '--ignore-classes',
        type=name_list,
        default=[],
        metavar='A,B',
        help='leave out categories of these names, with their boxes',
    )
