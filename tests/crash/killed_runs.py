"""Start ``tools/train.py`` as a user does, and end it by SIGKILL at a chosen moment."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from announced_phases import DESCRIPTOR

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = f"""_base_ = '{REPOSITORY}/configs/digits/frcnn_tiny.py'
custom_imports = dict(imports=['mmdet_digits.register', 'announced_phases'])
custom_hooks = [*_base_.custom_hooks, dict(type='PhaseBegins'), dict(type='PhaseEnds')]
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(max_keep_ckpts=2, save_best='run/epochs', rule='greater'),
)
val_evaluator = [*_base_.val_evaluator, dict(type='EpochMetric')]
train_cfg = dict(max_epochs={{epochs}})
train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(indices=8))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(indices=8))
"""


@dataclass(frozen=True)
class Said:
    """A line of a run, with the time at which it was read."""

    phase: str
    begins: bool
    epoch: int
    iteration: int
    at: float


class Training:
    """A training in a process of its own.

    Args:
        config: its config file.
        data_root: folder of the data set.
        work_dir: folder for the outputs; also where what it prints goes.
    """

    def __init__(self, config: Path, data_root: Path, work_dir: Path) -> None:
        reading, writing = os.pipe()
        paths = [str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')]
        environment = os.environ | {
            DESCRIPTOR: str(writing),
            'PYTHONPATH': os.pathsep.join(filter(None, paths)),
        }
        options = ['--data-root', data_root, '--work-dir', work_dir, '--resume']
        work_dir.mkdir(exist_ok=True)
        self.log = work_dir / 'printed.txt'
        with self.log.open('a') as log:
            self._process = subprocess.Popen(
                [sys.executable, REPOSITORY / 'tools/train.py', config, *options],
                env=environment,
                pass_fds=[writing],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        os.close(writing)
        self._lines = os.fdopen(reading)
        self.said: list[Said] = []

    def listen(self) -> Iterator[Said]:
        """What the run says, as it says it, until it ends."""
        for line in self._lines:
            phase, moment, epoch, iteration = line.split()
            self.said.append(
                Said(phase, moment == 'begin', int(epoch), int(iteration), time.monotonic())
            )
            yield self.said[-1]

    def wait(self) -> None:
        """Let it end by itself, as it should."""
        for _ in self.listen():
            pass
        assert self._process.wait() == 0, self.log.read_text()[-3000:]

    def kill(self) -> Said:
        """End it and its workers at once; returns what it said last."""
        os.kill(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        assert status == -signal.SIGKILL, self.log.read_text()[-3000:]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # data workers, if they have not gone
        for _ in self.listen():
            pass
        return self.said[-1]


def durations(said: list[Said]) -> dict[str, float]:
    """The median time in seconds that each phase of a run takes."""
    times: dict[str, list[float]] = {}
    begun: dict[str, float] = {}
    for line in said:
        if line.begins:
            begun[line.phase] = line.at
        else:
            times.setdefault(line.phase, []).append(line.at - begun[line.phase])
    return {phase: sorted(values)[len(values) // 2] for phase, values in times.items()}


def last_checkpoint(work_dir: Path) -> dict:
    """The checkpoint that ``last_checkpoint`` names."""
    name = Path((work_dir / 'last_checkpoint').read_text()).name
    return torch.load(work_dir / name, weights_only=False)


def logged(work_dir: Path) -> dict[tuple, list[dict]]:
    """All that was logged for each step by the runs in a folder, without times and memory.

    A line that a kill cut off is left out; the step is logged again after the resume.
    """
    steps: dict[tuple, list[dict]] = {}
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            if not line.endswith('}'):
                continue
            values = json.loads(line)
            kind = 'train' if 'loss' in values else 'val'
            kept = {key: value for key, value in values.items() if not _is_measured(key)}
            steps.setdefault((kind, values['step']), []).append(kept)
    return steps


def _is_measured(key: str) -> bool:
    return key.endswith('time') or 'memory' in key
