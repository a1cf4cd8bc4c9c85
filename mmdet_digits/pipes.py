"""Output into a pipe whose reader may leave before the end, as ``head`` does."""

import contextlib
import logging
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO

BROKEN_PIPE = 141  # 128 + SIGPIPE, as shells have it


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Within, a tool whose output nobody reads any more ends without a word.

    Its log lines do not end it: a training goes on, with its log file.
    """
    logging.raiseExceptions = False  # a traceback for each line that a handler cannot write
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # not at exit, where Python shows the error
    except BrokenPipeError:
        left = [stream for stream in (sys.stdout, sys.stderr) if _is_broken(stream)]
        if not left:  # it was another pipe
            raise
        for stream in left:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(BROKEN_PIPE)


def _is_broken(stream: TextIO) -> bool:
    """Whether a stream is a pipe without a reader."""
    if not hasattr(select, 'poll'):
        return False
    poll = select.poll()
    poll.register(stream.fileno(), 0)  # an error is reported though not asked for
    return bool(poll.poll(0))
