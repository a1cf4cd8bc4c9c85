"""No output from code that is only run to see whether it works."""

import contextlib
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def no_output() -> Iterator[None]:
    """Log nothing and print nothing."""
    before = logging.root.manager.disable
    disable_logging(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(None):
            yield
    finally:
        disable_logging(before)


def disable_logging(level: int) -> None:
    """:func:`logging.disable`, for MMEngine's loggers too, which remember what they may log.

    Args:
        level: log only what is above it.
    """
    logging.disable(level)
    mmengine = sys.modules.get('mmengine.logging')
    if mmengine:
        for logger in mmengine.MMLogger._instance_dict.values():
            logger._cache.clear()
