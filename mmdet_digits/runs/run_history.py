"""What a training has logged, read from its folder."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdet_digits.checks.dumped_config import get_setting, read_settings
from mmdet_digits.errors import InputError

SCALARS = 'vis_data/scalars.json'
FORMAT = f'a folder as tools/train.py writes it, with TIMESTAMP/{SCALARS}'


@dataclass(frozen=True)
class RunHistory:
    """The scalars of a run, finished or not.

    Attributes:
        folder: Where it was read from.
        iterations: Logged scalars per iteration, which count from 1 over the whole run. Losses and
            times are means over the last iterations, as many as ``log_processor.window_size``.
        validations: Logged scalars per validated epoch.
        epochs: How many epochs are finished.
        iters_per_epoch: Training iterations per epoch; None where neither the log nor two logged
            epochs tell.
        val_iters: Batches of one validation; None where the log does not tell.
        batch_size: Images per iteration, of all ranks; None where the config does not tell.
        settings: The config, as :func:`read_settings` gives it.
        notes: What was left out or is not what it seems, in words.
    """

    folder: Path
    iterations: dict[int, dict[str, Any]]
    validations: dict[int, dict[str, Any]]
    epochs: int
    iters_per_epoch: int | None = None
    val_iters: int | None = None
    batch_size: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def series(self, key: str, of: str = 'iterations') -> dict[int, float]:
        """Return the values of one scalar; those that are not finite are left out.

        Args:
            key: MMEngine's, e.g. ``'loss'`` or ``'coco/bbox_mAP'``. COCO's -1 is "no such box".
            of: ``'iterations'`` or ``'validations'``.
        """
        values = {at: record.get(key) for at, record in getattr(self, of).items()}
        missing = -1 if key.startswith('coco/') else None
        return {at: v for at, v in values.items() if _is_finite(v) and v != missing}

    def memory(self) -> dict[int, float]:
        """Return the peak memory in MiB per iteration: our hook's, or else MMEngine's on CUDA."""
        return self.series('peak_memory') or self.series('memory')

    def epoch_at(self, iteration: int) -> float:
        """Return how many epochs had passed after an iteration."""
        return iteration / (self.iters_per_epoch or max(self.iterations))


def read_runs(
    folders: Sequence[Path | str], names: Sequence[str] | None = None
) -> dict[str, RunHistory]:
    """Read several runs, each under the name of its folder or one that is given.

    Raises:
        InputError: one is not a run, or there are not as many different names.
    """
    names = list(names or (Path(folder).resolve().name for folder in folders))
    if not len(folders) == len(names) == len(set(names)):
        raise InputError(
            'Each run needs a name of its own.',
            f'{len(folders)} runs, and the names {", ".join(names)}',
            'as many different names as runs',
            'give them by --names, in the order of the runs',
        )
    return {name: read_run(folder) for name, folder in zip(names, folders, strict=True)}


def read_run(folder: Path | str) -> RunHistory:
    """Read a run; the parts that were logged after each resume are joined.

    A part replaces what earlier parts have of its first iteration and later ones: those weights
    were given up. Validations outside a training are left out.

    Args:
        folder: The work dir of the run.

    Raises:
        InputError: the folder is not that of a run, nothing is logged yet, or a line is broken. The
            last line may be: a run that is killed leaves half a line.
    """
    folder = Path(folder)
    files = sorted(folder.glob(f'*/{SCALARS}'))
    iterations, validations, notes = {}, {}, []
    for file in files:
        records = _read_records(file, notes)
        trained = [record for record in records if 'iter' in record]
        if trained:
            _drop_repeated(trained[0], iterations, validations, file, notes)
        iterations.update({record['iter']: record for record in trained})
        validations.update({r['step']: r for r in records if 'iter' not in r and r['step'] > 0})
    if not iterations and not validations:
        raise _no_run(folder, files)

    settings = _read_config(files[-1].with_name('config.py'))
    log = _read_log(files[-1].parents[1])
    iters_per_epoch = _last_number(r'Epoch\(train\) *\[\d+\]\[ *\d+/(\d+)\]', log)
    iters_per_epoch = iters_per_epoch or _distance_of_epochs(iterations)
    batch = get_setting(settings, 'train_dataloader.batch_size')
    return RunHistory(
        folder=folder,
        iterations=iterations,
        validations=validations,
        epochs=_finished_epochs(folder, iterations, validations, iters_per_epoch),
        iters_per_epoch=iters_per_epoch,
        val_iters=_last_number(r'Epoch\(val\) *\[\d+\]\[ *\d+/(\d+)\]', log),
        batch_size=batch and batch * (_last_number(r'GPU number: (\d+)', log) or 1),
        settings=settings,
        notes=(*notes, *_doubts(folder, iterations, validations, settings)),
    )


def _read_records(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Read the lines of a scalars file; a last one that is cut off is noted and left out."""
    records = []
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):
                notes.append(f'{path}: line {number}, the last, is cut off and was left out')
                break
            record = None
        if not _is_record(record):
            raise InputError(
                f'{path}, line {number}: not a record of a run.',
                line[:80],
                'a JSON object with "step", whole numbers in it and in "iter" and "epoch"',
                'remove that line',
            )
        if 'iter' in record and 'epoch' not in record:
            raise InputError(
                f'{path}, line {number}: a run that does not count epochs.',
                f'the keys {", ".join(record)}',
                'an "epoch" beside "iter"',
                'train with a train_cfg.type that counts epochs, e.g. ResumableTrainLoop',
            )
        records.append(record)
    return records


def _is_record(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and 'step' in record
        and all(type(record.get(key, 0)) is int for key in ('step', 'iter', 'epoch'))
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _drop_repeated(first: dict, iterations: dict, validations: dict, file: Path, notes) -> None:
    """Drop what a run does again that resumes with the record ``first``."""
    again = [at for at in iterations if at >= first['iter']]
    for at in again:
        del iterations[at]
    for epoch in [epoch for epoch in validations if epoch >= first['epoch']]:
        del validations[epoch]
    if again:
        notes.append(
            f'{file}: goes on from iteration {first["iter"]}; {len(again)} earlier records of that '
            'one and later ones were left out'
        )


def _read_config(path: Path) -> dict[str, Any]:
    return read_settings(path) if path.is_file() else {}


def _read_log(folder: Path) -> str:
    logs = sorted(folder.glob('*.log'))
    return ''.join(path.read_text(encoding='utf-8', errors='replace') for path in logs)


def _last_number(pattern: str, text: str) -> int | None:
    numbers = re.findall(pattern, text)
    return int(numbers[-1]) if numbers else None


def _distance_of_epochs(iterations: dict[int, dict]) -> int | None:
    """Iterations from the first logged one of an epoch to that of the next."""
    first = {}
    for at, record in iterations.items():
        first.setdefault(record['epoch'], at)
    return next((first[e + 1] - first[e] for e in first if e + 1 in first), None)


def _finished_epochs(folder: Path, iterations, validations, iters_per_epoch: int | None) -> int:
    """The last epoch that was validated, saved, or left behind."""
    last = max(iterations, default=0)
    begun = iterations[last]['epoch'] if last else 0
    finished = max(begun - 1, max(validations, default=0))
    if iters_per_epoch:
        finished = max(finished, last // iters_per_epoch)
    pointer = folder / 'last_checkpoint'
    pointed = pointer.read_text(encoding='utf-8') if pointer.is_file() else ''
    saved = _last_number(r'epoch_(\d+)\.pth', pointed)
    return max(finished, saved) if saved and saved <= begun else finished


def _doubts(folder: Path, iterations, validations, settings) -> list[str]:
    """What a reader of the figures should know."""
    doubts = []
    broken = [at for at, record in iterations.items() if not _is_finite(record.get('loss', 0))]
    if broken:
        doubts.append(f'{folder}: the training loss is not finite from iteration {broken[0]} on')
    pattern = get_setting(settings, 'log_processor.mean_pattern', r'.*loss')
    losses = [epoch for epoch, record in validations.items() if 'val/loss' in record]
    if len(losses) > 1 and settings and re.search(pattern, 'val/loss'):
        doubts.append(
            f'{folder}: val/loss is not that of each epoch but its mean over the validations so '
            'far, as log_processor.mean_pattern of the config wants it'
        )
    return doubts


def _no_run(folder: Path, files: Sequence[Path]) -> InputError:
    runs = sorted({str(path.parents[2]) for path in folder.glob(f'*/*/{SCALARS}')})
    if files:
        found, fix = f'{len(files)} x {SCALARS}, all empty', 'wait for the first iterations'
    elif (folder / SCALARS).is_file():
        found, fix = 'one TIMESTAMP folder of a run', f'give the run: {folder.resolve().parent}'
    elif runs:
        found, fix = 'a folder of runs', f'give one or more of them: {", ".join(runs)}'
    elif folder.is_dir():
        found, fix = f'no TIMESTAMP/{SCALARS} in it', 'give the --work-dir of a training'
    else:
        found, fix = 'a file' if folder.exists() else 'nothing', 'correct the path'
    return InputError(f'{folder}: no run to read.', found, FORMAT, fix)
