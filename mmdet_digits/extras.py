"""Packages that only a part of the project needs."""

import importlib
from types import ModuleType

from mmdet_digits.errors import InputError


def import_extra(package: str, extra: str) -> ModuleType:
    """Import a package that is installed on demand.

    Args:
        package: its name.
        extra: the extra of this project that brings it.

    Raises:
        InputError: it is not installed, or does not load.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(
            f'The package {package} is needed for this.',
            str(error),
            f'what the extra {extra!r} of this project installs',
            f"pip install -e '.[{extra}]', in the folder of the project",
        ) from error
