"""The one exception of this project that is meant to be read by its user."""


class InputError(ValueError):
    """Something the user gave is wrong and the user can put it right.

    The message names what was found, what was expected and how to fix it; the tools print it
    without a traceback and exit with status 1.
    """
