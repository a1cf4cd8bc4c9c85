"""Python's garbage collector, kept out of the way while a program starts.

It looks through the objects in memory as often as some hundreds are new. While libraries are
imported or a data set is loaded all of them stay, and it takes a third of the time to find that.
"""

import functools
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Within, or during the function that this decorates, the collector does not run."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@functools.cache
def leave_imports_alone() -> None:
    """Keep the collector, for good, from looking at what is in memory now. Once per process.

    Data workers then also share that memory: to look at an object is to write to it.
    """
    gc.freeze()
