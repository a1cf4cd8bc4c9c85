"""Quiet for code that is only run to see whether it works."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Log nothing and print nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(None):
            yield
    finally:
        logging.disable(before)
