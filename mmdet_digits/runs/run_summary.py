"""The figures by which runs are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from mmdet_digits.assembly.number_assembly import resolve_assembly
from mmdet_digits.checks.dumped_config import get_setting
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.assembly_files import assembly_spec, describe_assembly
from mmdet_digits.evaluation.evaluators import metrics_of, own_metrics
from mmdet_digits.files import read_json
from mmdet_digits.runs.run_history import RunHistory

#: What ``best`` looks for, and whether the highest or the lowest is the best.
BEST_OF = {
    'coco/bbox_mAP': max,
    'coco/bbox_mAP_50': max,
    'number/accuracy': max,
    'digits/precision': max,
    'val/loss': min,
}
LARGEST_BATCH = 'largest_batch.json'


@dataclass(frozen=True)
class EpochValue:
    """A value of a metric, and the epoch that had it."""

    value: float
    epoch: int


@dataclass(frozen=True)
class RunSummary:
    """What a run cost and what it reached; None and absent keys are unknown.

    Attributes:
        epochs: Finished epochs.
        images_seen: Batch size times iterations. The last batch of an epoch may be smaller.
        seconds_per_epoch: Median of :func:`epoch_seconds`: a while of other load hardly counts.
        peak_memory_mib: The most memory needed, in MiB.
        memory_of: ``'GPU'`` or ``'process'``: what that memory is of.
        largest_batch: What ``largest_batch.json`` of the run says.
        best: The best of each metric in :data:`BEST_OF`, under its key.
        last: The last of each metric of the config's own, for which neither the highest nor the
            lowest is known to be the best.
        number_assembly: By which the numbers of the validations are made.
    """

    epochs: int
    images_seen: int | None
    seconds_per_epoch: float | None
    peak_memory_mib: float | None
    memory_of: str | None
    largest_batch: dict[str, Any] | None
    best: dict[str, EpochValue]
    last: dict[str, EpochValue] = field(default_factory=dict)
    number_assembly: str | None = None


def summarize_run(run: RunHistory) -> RunSummary:
    """Work out the figures of a run.

    Raises:
        InputError: the run has a ``largest_batch.json`` that is not one.
    """
    seconds = epoch_seconds(run).values()
    memory = run.memory()
    on_gpu = any('memory' in record for record in run.iterations.values())
    return RunSummary(
        epochs=run.epochs,
        images_seen=_images_seen(run),
        seconds_per_epoch=median(seconds) if seconds else None,
        peak_memory_mib=max(memory.values(), default=None),
        memory_of=('GPU' if on_gpu else 'process') if memory else None,
        largest_batch=_largest_batch(run),
        best={key: best for key in BEST_OF if (best := find_best(run, key))},
        last=_last_of_own(run),
        number_assembly=_number_assembly(run),
    )


def epoch_seconds(run: RunHistory) -> dict[int, float]:
    """Return the wall time of each finished epoch, in seconds.

    Counted are the training iterations from one to the next (loading, forward, backward, step,
    hooks) and, if the epoch was validated, validation's batches (loading, losses, prediction). Not
    counted are the metrics' own computation after the last batch, the writing of checkpoints, and
    the start of the run. Each logged ``time`` stands for the iterations since the one before; it is
    MMEngine's mean over the last ``log_processor.window_size`` of them, so that an epoch shorter
    than that is blended with the one before it.

    Returns:
        Seconds per epoch; nothing where the number of training or validation batches is not known.
    """
    size = run.iters_per_epoch
    times, validation_times = run.series('time'), run.series('time', 'validations')
    seconds = {}
    for epoch in range(1, run.epochs + 1 if size else 0):
        begin = done = (epoch - 1) * size
        training, validation = 0.0, validation_times.get(epoch, 0.0)
        for at in (at for at in times if begin < at <= epoch * size):
            training += times[at] * (at - done)
            done = at
        if done > begin and (run.val_iters or not validation):
            seconds[epoch] = training * size / (done - begin) + validation * (run.val_iters or 0)
    return seconds


def find_best(run: RunHistory, key: str) -> EpochValue | None:
    """Return the best value of a validation scalar, its first epoch; None where there is none."""
    values = run.series(key, 'validations')
    if not values:
        return None
    epoch = BEST_OF[key](values, key=values.get)
    return EpochValue(values[epoch], epoch)


def find_differences(runs: Mapping[str, RunHistory]) -> list[str]:
    """Say in what the runs were not validated alike, so that their figures may not compare.

    A metric that not all of them have makes no difference to the figures of the others.
    """
    metrics = {name: _val_metrics(run) for name, run in runs.items()}
    shared = set.intersection(*({m.get('type') for m in of_run} for of_run in metrics.values()))
    evaluators = {
        name: [metric for metric in of_run if metric.get('type') in shared]
        for name, of_run in metrics.items()
    }
    if len({repr(evaluator) for evaluator in evaluators.values()}) < 2:
        return []
    listed = ''.join(f'\n  {name}: {evaluator}' for name, evaluator in evaluators.items())
    return [f'the runs were not validated alike, so compare their figures with care{listed}']


def _val_metrics(run: RunHistory) -> list[Mapping]:
    return metrics_of(get_setting(run.settings, 'val_evaluator'))


def _last_of_own(run: RunHistory) -> dict[str, EpochValue]:
    keys = dict.fromkeys(key for record in run.validations.values() for key in record)
    series = {key: run.series(key, 'validations') for key in own_metrics(keys)}
    return {key: EpochValue(at[max(at)], max(at)) for key, at in series.items() if at}


def _number_assembly(run: RunHistory) -> str | None:
    metrics = _val_metrics(run)
    if not any(metric.get('type') == 'NumberMetric' for metric in metrics):
        return None
    spec = assembly_spec(metrics) or 'default'
    return spec if isinstance(spec, str) else describe_assembly(resolve_assembly(spec))


def _images_seen(run: RunHistory) -> int | None:
    if not run.batch_size:
        return None
    finished = run.epochs * (run.iters_per_epoch or 0)
    return run.batch_size * max(finished, *run.iterations, 0)


def _largest_batch(run: RunHistory) -> dict[str, Any] | None:
    path = run.folder / LARGEST_BATCH
    if not path.is_file():
        return None
    what = 'a JSON object with largest_batch and memory, as benchmarks/largest_batch.py writes it'
    content = read_json(path, what)
    if not isinstance(content, dict) or not {'largest_batch', 'memory'} <= set(content):
        raise InputError(
            f'{path}: not what it should be.', str(content)[:80], what, 'measure it again'
        )
    return content
