"""Ctrl-C and SIGTERM as a request that is granted at the next good moment."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import print_log

from mmdet_digits.errors import Interrupted

NAMES = {signal.SIGINT: 'Ctrl-C', signal.SIGTERM: 'SIGTERM'}
CHILD = [signal.SIGCHLD] if hasattr(signal, 'SIGCHLD') else []  # not on Windows


class StopRequest:
    """Whether this process was asked to stop.

    Attributes:
        signal: the one that asked, or None.
        can_wait: whether a good moment will come. Where not, and on a second signal,
            :class:`mmdet_digits.errors.Interrupted` is raised at once.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.can_wait = False
        self._process = os.getpid()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within, Ctrl-C and SIGTERM are requests, unless this process was told to ignore them."""
        heard = [number for number in NAMES if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.getsignal(number) for number in (*heard, *CHILD)}
        for number in heard:
            signal.signal(number, self._receive)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:
            return  # a data worker, which Ctrl-C reaches too: it ends when the main process ends
        if self.signal or not self.can_wait:
            raise stopped(
                number, 'at once. The same command and --resume goes on from the last checkpoint.'
            )
        self.signal = signal.Signals(number)
        for (
            child
        ) in CHILD:  # torch would raise an error wherever we are if the workers died as well
            signal.signal(child, signal.SIG_DFL)
        print_log(
            f'{NAMES[self.signal]}: stopping as soon as everything is saved; once more stops at '
            'once.',
            'current',
            logging.WARNING,
        )


def stopped(number: int, how: str) -> Interrupted:
    """The exception that ends a run.

    Args:
        number: of the signal that asked for it.
        how: the rest of the sentence.
    """
    number = signal.Signals(number)
    return Interrupted(f'Stopped by {NAMES[number]} {how}', 128 + number)
