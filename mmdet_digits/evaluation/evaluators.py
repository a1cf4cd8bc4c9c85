"""The metrics that a config evaluates by."""

from collections.abc import Iterable, Mapping, MutableMapping

OURS = ('coco/', 'number/', 'digits/', 'val/')
LOGGED = ('step', 'time', 'data_time', 'memory', 'images_per_second')


def metrics_of(evaluator) -> list[Mapping]:
    """List the metrics of an evaluator.

    Args:
        evaluator: what a config has: one metric, a list of them, an ``Evaluator`` with its
            ``metrics``, or None.
    """
    if isinstance(evaluator, Mapping):
        return metrics_of(evaluator['metrics']) if 'metrics' in evaluator else [evaluator]
    return list(evaluator or ())


def add_metric(cfg: MutableMapping, metric: dict) -> None:
    """Add a metric to the ``test_evaluator`` of a config, changed in place."""
    evaluator = cfg['test_evaluator']
    metrics = [*metrics_of(evaluator), metric]
    if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
        evaluator['metrics'] = metrics
    else:
        cfg['test_evaluator'] = metrics


def own_metrics(keys: Iterable[str]) -> list[str]:
    """Which figures are those of metrics that a user's config adds: neither ours nor MMEngine's."""
    return [key for key in keys if key not in LOGGED and not key.startswith(OURS)]
