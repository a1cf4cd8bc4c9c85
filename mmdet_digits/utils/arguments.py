"""Types for argparse whose messages say what was found and what was expected."""

from argparse import ArgumentTypeError


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
    """Names with commas between them."""
    return [name.strip() for name in text.split(',') if name.strip()]
