"""Validate one batch before a training, so that a validation that fails does so at once."""

import copy
import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from logging import Logger

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import ValLoop
from torch.utils.data import DataLoader, Subset

from mmdet_digits.engine.randomness import preserved_randomness
from mmdet_digits.errors import InputError


@HOOKS.register_module()
class SanityValidationHook(Hook):
    """Run the first batch of the validation through model and metrics, before the first iteration.

    What cannot be loaded, predicted or scored would else end the run after an epoch, and so would
    a ``save_best`` that no metric makes. The run is left as it was: the figures are thrown away,
    nothing is logged, and the random generators go on from where they were.
    """

    priority = 'LOWEST'  # when all is ready

    def before_train(self, runner) -> None:
        """Validate one batch.

        Raises:
            InputError: a hook waits for a metric that does not come out.
        """
        if runner.val_loop is None:
            return
        with silenced(runner.logger), preserved_randomness():
            metrics = validate_first_batch(runner.val_loop)
        check_monitored(dict(monitored_keys(runner.cfg)), metrics)


@contextmanager
def silenced(logger: Logger) -> Iterator[None]:
    """Within, nothing is logged, and nothing printed, as pycocotools does."""
    logger.disabled = True
    try:
        with redirect_stdout(None):
            yield
    finally:
        logger.disabled = False


def validate_first_batch(loop: ValLoop) -> dict[str, float]:
    """What a validation gives on its first batch, which no hook sees."""
    runner, trial = copy.copy(loop.runner), copy.copy(loop)
    runner._hooks = []
    trial._runner, trial.dataloader = runner, first_batch(loop.dataloader)
    return trial.run()


def first_batch(loader: DataLoader) -> DataLoader:
    """A loader of what a loader gives first, without workers."""
    indices = next(iter(loader.batch_sampler))
    dataset = Subset(loader.dataset, indices)
    return DataLoader(dataset, batch_size=len(indices), collate_fn=loader.collate_fn)


def monitored_keys(cfg: Mapping) -> Iterator[tuple[str, str]]:
    """Path and value of each metric key that a hook of a config waits for."""
    hooks = {
        f'default_hooks.{name}': hook for name, hook in (cfg.get('default_hooks') or {}).items()
    }
    hooks |= {f'custom_hooks.{n}': hook for n, hook in enumerate(cfg.get('custom_hooks') or ())}
    for path, hook in hooks.items():
        for name in ('save_best', 'monitor') if isinstance(hook, Mapping) else ():
            keys = hook.get(name) or ()
            for key in [keys] if isinstance(keys, str) else keys:
                if key != 'auto':
                    yield f'{path}.{name}', key


def check_monitored(monitored: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    """Check that every key that a hook waits for is among the metrics.

    Args:
        monitored: key by its path in the config.
        metrics: of one batch, in which not each length of number needs to occur.

    Raises:
        InputError: one is not.
    """
    for path, key in monitored.items():
        if key in metrics or key.partition('_length_')[0] in metrics:
            continue
        near = next(iter(difflib.get_close_matches(key, metrics, n=1, cutoff=0.0)), 'auto')
        raise InputError(
            'No metric makes the key that a hook waits for.',
            f'{path}={key}',
            f'one of {", ".join(sorted(metrics))}',
            f'--cfg-options {path}={near}, or add the metric to val_evaluator',
        )
