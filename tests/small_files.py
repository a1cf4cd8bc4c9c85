"""A disk that is full, as a process meets it."""

import resource
import signal
from contextlib import contextmanager


@contextmanager
def small_files(size=10_000):
    """Within this, the system refuses to write beyond so many bytes of a file.

    Any file of this process, so pytest must not write its report meanwhile: no fixture.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
