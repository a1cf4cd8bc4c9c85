"""Make every check there is, whatever the others do.

At import this needs nothing but Python. The checks run in a process of their own: a library that
prints, or crashes while it is imported, does no harm to the report.
"""

import faulthandler
import logging
import multiprocessing
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from mmdet_digits.checks.doctor_steps import Subject, steps
from mmdet_digits.checks.finding import Check, Status, attempt


def examine(
    subject: Subject, announce: Callable[[str], None], debug: bool = False
) -> Iterator[tuple[str, Check]]:
    """Make every check.

    Args:
        subject: what to look at.
        announce: called with what is looked at next.
        debug: let tracebacks and what the libraries print through to stderr.

    Yields:
        Each check with the group it belongs to.
    """
    failed: set[str] = set()
    with CheckProcess(debug) as process:
        for step in steps(subject):
            announce(step.title)
            missing = [title for title in step.needs if title in failed]
            if missing:
                found = f'not checked: it needs {" and ".join(missing)}'
                checks = [Check(step.title, Status.WARN, found)]
            else:
                usable = replace(subject, config=None) if 'config' in failed else subject
                checks = process.run(step.title, usable)
            if missing or any(check.status is Status.FAIL for check in checks):
                failed.add(step.title)
            yield from ((step.group, check) for check in checks)


class CheckProcess:
    """A process that makes the checks it is asked for; after one that kills it, a new one.

    Args:
        debug: let what it prints through to stderr.
    """

    def __init__(self, debug: bool) -> None:
        self._debug = debug
        self._process = None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._output = Path(self._folder.name, 'output.txt')

    def __enter__(self) -> 'CheckProcess':
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process:
            self._process.kill()  # nothing in it would have to be saved
            self._process.join()
        self._folder.cleanup()

    def run(self, title: str, subject: Subject) -> list[Check]:
        """Make the checks of the step with this title."""
        if self._process is None:
            self._start()
        try:
            self._connection.send((title, subject))
            return self._connection.recv()
        except (EOFError, ConnectionError):  # in this check, or before it
            self._process.join()
            code, self._process = self._process.exitcode, None
            printed = (
                '' if self._debug else self._output.read_text(encoding='utf-8', errors='replace')
            )
            return [died(title, code, printed)]

    def _start(self) -> None:
        spawn = multiprocessing.get_context('spawn')
        self._connection, other_end = spawn.Pipe()
        output = None if self._debug else self._output
        self._process = spawn.Process(target=serve, args=(other_end, output))
        self._process.start()
        other_end.close()  # so that the end of the process is seen


def serve(connection: Connection, output: Path | None) -> None:
    """Make checks until killed: what the process of the checks does.

    Args:
        connection: brings title and subject of a step, takes its checks.
        output: file for what is printed; None for stderr, with tracebacks.
    """
    if output:
        with output.open('wb') as file:
            os.dup2(file.fileno(), 2)
    else:
        logging.basicConfig()
        logging.getLogger('mmdet_digits').setLevel(logging.DEBUG)
    os.dup2(2, 1)
    faulthandler.enable()
    while True:
        title, subject = connection.recv()
        step = next(step for step in steps(subject) if step.title == title)
        connection.send(attempt(step.title, step.check, subject))


def died(title: str, code: int, printed: str) -> Check:
    """Say what killed the process of the checks.

    Args:
        title: of the step that it was at.
        code: its exit status, or minus the number of a signal.
        printed: what it had printed.
    """
    place = re.search(r'File "[^"]+", line \d+', printed)
    return Check(
        f'{title}: the process died.',
        Status.FAIL,
        (signal.Signals(-code).name if code < 0 else f'exit status {code}')
        + (f' at {place[0]}' if place else ''),
        'a check that runs',
        'pip install --force-reinstall -r requirements.txt; SIGILL means that the processor lacks '
        'what a package was built for, SIGKILL that memory ran out',
    )
