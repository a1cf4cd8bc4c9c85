"""Stages that share the minutes there are: each with a deadline, recorded, and done once."""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from textwrap import indent
from typing import Any

from mmdet_digits.errors import InputError, RunError
from mmdet_digits.files import read_json, write_file

GRACE = 10  # seconds in which a stage that is ended may save what it has
TAIL = 15  # lines of a failed stage that are recorded
DONE, FAILED, NO_TIME = 'done', 'failed', 'no time'


@dataclass(frozen=True)
class Stage:
    """A part of a programme.

    Args:
        name: its own.
        run: does it, in an empty folder and so many seconds; returns what it found, for JSON.
        least: seconds without which it is not begun.
        most: seconds after which it is ended.
        weight: its part of the time that is left when each stage has its least. Without one it is
            lent that time, and the time of those of a higher rank.
        rank: where not all get their least, those of a lower rank do.
    """

    name: str
    run: Callable[[Path, float], dict[str, Any]]
    least: float
    most: float = math.inf
    weight: float = 0.0
    rank: int = 0


class Record:
    """What stages have found, in ``results.json`` and ``results.md`` of a folder.

    Args:
        folder: of the programme.
        settings: what all its stages depend on.
        page: makes the text of ``results.md`` of the settings and the stages.

    Attributes:
        stages: by name: ``state``, ``seconds``, and ``message`` or what was found.

    Raises:
        InputError: the folder has the results of other settings.
    """

    def __init__(self, folder: Path, settings: dict, page: Callable[[dict, dict], str]) -> None:
        self.folder, self.settings, self.page = folder, settings, page
        self.file = folder / 'results.json'
        found = read_json(self.file, 'results') if self.file.is_file() else {}
        if found and found['settings'] != settings:
            raise InputError(
                f'{folder} has the results of another programme.',
                str(found['settings']),
                str(settings),
                'name another folder, or go on with the settings found',
            )
        self.stages: dict[str, dict[str, Any]] = found.get('stages', {})

    def found(self, name: str) -> dict[str, Any] | None:
        """What a stage has found, if it is done."""
        stage = self.stages.get(name, {})
        return stage if stage.get('state') == DONE else None

    def add(self, name: str, outcome: dict[str, Any]) -> None:
        """Write down how a stage has ended."""
        self.stages[name] = outcome
        content = dict(settings=self.settings, stages=self.stages)
        write_file(self.file, json.dumps(content, indent=2) + '\n')
        write_file(self.file.with_suffix('.md'), self.page(self.settings, self.stages))


def share_time(stages: Sequence[Stage], seconds: float) -> dict[Stage, float]:
    """Give each stage its time.

    Args:
        stages: in their order. Where not all get their least, the last ones of the highest rank go
            without.
        seconds: what there is.

    Returns:
        Seconds of the stages that can be done, in their order. Those without a weight should need
        no more than their least, so all seconds come to more than there is.
    """
    by_worth = sorted(stages, key=lambda stage: stage.rank)
    needed = accumulate(stage.least for stage in by_worth)
    fitting = {stage for stage, total in zip(by_worth, needed, strict=True) if total <= seconds}
    spare = seconds - sum(stage.least for stage in fitting)
    weights = sum(stage.weight for stage in fitting)

    def share(stage: Stage) -> float:
        if stage.weight:
            return stage.least + spare * stage.weight / weights
        others = fitting - {stage}
        return seconds - sum(other.least for other in others if other.rank <= stage.rank)

    return {stage: min(stage.most, share(stage)) for stage in stages if stage in fitting}


def run_stages(list_stages: Callable[[], Sequence[Stage]], record: Record, ends: float) -> None:
    """Run the stages that are not done and for which there is time, one after the other.

    Args:
        list_stages: gives all of them, by what is known so far.
        record: where what they find goes.
        ends: when the last must have ended, by ``time.monotonic``.
    """
    tried = set()

    def remaining() -> list[Stage]:
        return [s for s in list_stages() if not (s.name in tried or record.found(s.name))]

    while shares := share_time(remaining(), ends - GRACE - time.monotonic()):
        stage, seconds = next(iter(shares.items()))
        tried.add(stage.name)
        print(f'{stage.name}: {seconds:.0f} s at most', flush=True)
        outcome = attempt(stage, record.folder / 'work' / folder_name(stage.name), seconds)
        record.add(stage.name, outcome)
        print('  {state} in {seconds} s'.format(**outcome), flush=True)
        if outcome['state'] == FAILED:
            print(indent(outcome['message'], '  '), flush=True)
    for stage in remaining():
        print(f'{stage.name}: {NO_TIME}', flush=True)
        record.add(stage.name, dict(state=NO_TIME))


def attempt(stage: Stage, folder: Path, seconds: float) -> dict[str, Any]:
    """Run a stage in a new folder; return its outcome, whatever it raises."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    try:
        outcome = dict(state=DONE) | stage.run(folder, seconds)
    except Exception as error:  # the next stages can do without
        kind = '' if isinstance(error, InputError) else f'{type(error).__name__}: '
        outcome = dict(state=FAILED, message=f'{kind}{error}')
    return outcome | dict(seconds=round(time.monotonic() - started, 1), given=round(seconds, 1))


def folder_name(name: str) -> str:
    """The name of a stage as that of its folder."""
    return re.sub('[^A-Za-z0-9_.]+', '-', name)


def output_of(command: Sequence[object], folder: Path, seconds: float) -> str:
    """What a command prints.

    Raises:
        RunError: it fails, or its time is over.
    """
    status = run_within(command, folder, seconds)
    if status != 0:
        raise failure(folder, status)
    return printed(folder / 'stdout.txt')


def run_within(command: Sequence[object], folder: Path, seconds: float) -> int | None:
    """Run a command; what it prints goes to ``stdout.txt`` and ``stderr.txt`` of a folder.

    Args:
        command: with its arguments.
        folder: of the stage.
        seconds: after which it is ended, with all processes that it has started.

    Returns:
        Its exit status; None if its time was over.
    """
    with (folder / 'stdout.txt').open('wb') as out, (folder / 'stderr.txt').open('wb') as err:
        process = subprocess.Popen([*map(str, command)], stdout=out, stderr=err, process_group=0)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:  # also of Ctrl-C and SIGTERM
            end_group(process)


def end_group(process: subprocess.Popen) -> None:
    """End a process and all it has started: by SIGTERM, so that a training saves, then at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def failure(folder: Path, status: int | None) -> RunError:
    """Say how a command ended, and what it printed last."""
    ended = 'Its time was over' if status is None else f'It ended with status {status}'
    lines = (printed(folder / 'stderr.txt') or printed(folder / 'stdout.txt')).splitlines()
    return RunError(
        '\n'.join([f'{ended}; {folder} has all that it printed, at last:', *lines[-TAIL:]])
    )


def printed(file: Path) -> str:
    """The text of a file that a command has printed to."""
    return file.read_text(encoding='utf-8', errors='replace')
