"""Hooks that say what a run is doing, so that a test can end it in the middle of that.

They write a line ``PHASE begin|end EPOCH ITERATION`` to an open file, whose number an environment
variable holds; without that they write nothing. A phase is ``train`` (one iteration),
``checkpoint`` (of an epoch), ``val`` (a whole validation) or ``best`` (the checkpoint after it).
"""

import os

from mmdet.registry import HOOKS, METRICS
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub

DESCRIPTOR = 'PHASES_DESCRIPTOR'


class Announcer(Hook):
    """Knows how to say it."""

    def say(self, runner, what: str) -> None:
        if DESCRIPTOR in os.environ:
            line = f'{what} {runner.epoch} {runner.iter}\n'
            os.write(int(os.environ[DESCRIPTOR]), line.encode())


@HOOKS.register_module()
class PhaseBegins(Announcer):
    """Says what begins; comes just before ``CheckpointHook``."""

    priority = 'LOW'

    def before_train(self, runner) -> None:
        self.say(runner, 'run begin')

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.say(runner, 'train begin')

    def after_train_epoch(self, runner) -> None:
        self.say(runner, 'checkpoint begin')

    def before_val_epoch(self, runner) -> None:
        runner.message_hub.update_info('epochs_trained', runner.epoch)
        self.say(runner, 'val begin')

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.say(runner, 'val end')
        self.say(runner, 'best begin')


@HOOKS.register_module()
class PhaseEnds(Announcer):
    """Says what has ended; comes just after ``CheckpointHook``."""

    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.say(runner, 'train end')

    def after_train_epoch(self, runner) -> None:
        self.say(runner, 'checkpoint end')

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.say(runner, 'best end')


@METRICS.register_module()
class EpochMetric(BaseMetric):
    """A metric that each validation is better by, so that each writes a best checkpoint."""

    default_prefix = 'run'

    def process(self, data_batch, data_samples) -> None:
        self.results.append(MessageHub.get_current_instance().get_info('epochs_trained', 0))

    def compute_metrics(self, results) -> dict:
        return {'epochs': results[0]}
