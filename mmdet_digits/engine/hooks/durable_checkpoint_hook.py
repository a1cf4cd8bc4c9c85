"""Checkpoints that survive whatever ends a run, and that say where they come from."""

import re
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, find_latest_checkpoint

from mmdet_digits.checkpoints.matching import check_checkpoint, check_schedulers, leave_out
from mmdet_digits.checkpoints.plain_state import plain_state, with_histories, without_functions
from mmdet_digits.checkpoints.provenance import git_state, versions
from mmdet_digits.checkpoints.resuming import check_resumable
from mmdet_digits.durable_files import remove_parts, write_durably
from mmdet_digits.engine.distributed import unwrapped
from mmdet_digits.errors import InputError
from mmdet_digits.files import natural_key

CHECKPOINT = re.compile(r'(best_.+_)?(epoch|iter)_\d+\.pth')
MOST_LISTED = 10
OUTDATED = 'outdated_ckpts'
"""Under this name a checkpoint has those that are removed as soon as it is on the disk."""


def what_is_replaced(
    folder: str, checkpoints: Sequence[str], best: Sequence[str], resumed: bool
) -> str:
    """What a training has to say about checkpoints of an earlier one; '' for nothing.

    Args:
        folder: where both save.
        checkpoints: names of those that are there.
        best: names of the best ones among them that are not this training's.
        resumed: whether it goes on from one of them.
    """
    if resumed and best:
        return (
            f'{folder}: unknown to the checkpoint that this training goes on from, and removed as '
            f'soon as it saves a best one: {", ".join(best)}.'
        )
    if resumed or not checkpoints:
        return ''
    listed = ', '.join(checkpoints[:MOST_LISTED]) + ', ...' * (len(checkpoints) > MOST_LISTED)
    replaces = 'overwrites those of the same names'
    if best:
        replaces += f' and removes {", ".join(best)} as soon as it saves a best one'
    return (
        f'{folder} has checkpoints of an earlier training: {listed}. This one starts from the '
        f'beginning, {replaces}. To go on with the earlier one: --resume. To keep it: '
        '--work-dir NEW.'
    )


@HOOKS.register_module()
class DurableCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, with an order in which nothing is lost.

    - A file is removed only after the one that takes its place is on the disk. MMEngine removes the
      best checkpoint, and those over ``max_keep_ckpts``, before it writes the new ones.
    - ``last_checkpoint`` is replaced at once, and by name the files are always whole (see
      :mod:`mmdet_digits.checkpoints.local_backend`). What a killed run left is removed.
    - After a resume, only files of this run's own folder are removed. A checkpoint holds the full
      path of the best one, which may be another run's once the folder was copied.
    - A training that starts over where an earlier one was says so before its first iteration, and
      removes the earlier best checkpoints as soon as it has one of its own.
    - What is saved also has the versions of the packages, the state of the repository, the metrics
      of the last validation and the time.
    - What is saved is tensors and plain values, so that ``torch.load(weights_only=True)`` reads it.
    - What is loaded has to fit the model and the classes of the data set. A training may start from
      weights for another number of classes: what depends on it is left out, with a warning.

    Arguments are those of :class:`mmengine.hooks.CheckpointHook`.
    """

    _checked = False
    _previous_best: dict[str, str | None] = {}
    _earlier_best: list[str] = []

    def before_train(self, runner) -> None:
        """Find out where to save and what is there, and finish what a killed run had begun."""
        info = runner.message_hub.runtime_info
        if 'keep_ckpt_ids' in info:
            steps = [step for step in info['keep_ckpt_ids'] if type(step) is int]
            runner.message_hub.update_info('keep_ckpt_ids', steps)
        super().before_train(runner)
        for key, path in self._best_paths().items():
            self._set_best_path(key, self._own(path))
        if is_main_process():
            outdated = [path for path in info.get(OUTDATED, []) if path == self._own(path)]
            self._remove(runner, outdated)
            parts = [remove_parts(self.out_dir, name) for name in ('*.pth', '*last_checkpoint')]
            for part in chain.from_iterable(parts):
                runner.logger.info(f'Removed {part}, which a killed run had begun to write.')
            self._warn_of_earlier_ones(runner)

    def _warn_of_earlier_ones(self, runner) -> None:
        """Say which checkpoints of an earlier training this one takes the place of."""
        found = (path.name for path in Path(self.out_dir).glob('*.pth'))
        names = sorted(filter(CHECKPOINT.fullmatch, found), key=natural_key)
        own = {Path(path).name for path in self._best_paths().values() if path}
        best = [name for name in names if name.startswith('best_') and name not in own]
        best = best if self.save_best else []
        self._earlier_best = [self.file_backend.join_path(self.out_dir, name) for name in best]
        warning = what_is_replaced(self.out_dir, names, best, runner._resume)
        if warning:
            runner.logger.warning(warning)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check that a checkpoint fits, and make MMEngine's histories of the tensors in it."""
        loops = [runner._train_loop, runner._val_loop, runner._test_loop]
        built = next(loop for loop in loops if isinstance(loop, BaseLoop))
        only_starts = built is runner._train_loop and not runner._resume
        model = unwrapped(runner.model)
        model = model.module if isinstance(model, BaseTTAModel) else model
        path = runner._load_from or find_latest_checkpoint(runner.work_dir)
        unlike = check_checkpoint(
            checkpoint,
            path,
            model.state_dict(),
            built.dataloader.dataset.metainfo['classes'],
            complete=not only_starts,
        )
        if unlike:
            leave_out(checkpoint, path, unlike, model.state_dict())
        if built is runner._train_loop and runner._resume:
            states, own = checkpoint.get('param_schedulers', []), runner.param_schedulers or []
            check_schedulers(states, path, own)
            checkpoint['message_hub'] = with_histories(checkpoint['message_hub'])

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add what MMEngine does not save by itself, and leave nothing but plain values."""
        histories = runner.message_hub.log_scalars
        checkpoint['meta'].update(
            saved_at=time.time(),
            versions=versions(),
            git=git_state(Path(__file__).parent),
            metrics={
                name.removeprefix('val/'): float(history.current())
                for name, history in histories.items()
                if name.startswith('val/')
            },
        )
        if 'param_schedulers' in checkpoint:
            checkpoint['param_schedulers'] = without_functions(checkpoint['param_schedulers'])
        for name in checkpoint.keys() - {'state_dict', 'ema_state_dict'}:
            checkpoint[name] = plain_state(checkpoint[name])

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        outdated = self._outdated(runner, step) + self._replaced_best()
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.message_hub.update_info(OUTDATED, outdated)  # for the case that it ends before
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            self._check_first(runner)
            write_durably(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt.encode())
            self._remove(runner, outdated)

    def _check_first(self, runner) -> None:
        """Say early, and once, if the loader would refuse what this run saves."""
        path = Path(self.last_ckpt)
        if self._checked or not path.is_file():
            return
        self._checked = True
        try:
            check_resumable(path)
        except InputError as error:
            runner.logger.warning(f'It will not be possible to resume from this run. {error}')

    def _outdated(self, runner, step: int) -> list[str]:
        """Note a step as the last of those to keep; returns the checkpoints that are too many."""
        if self.max_keep_ckpts <= 0:
            return []
        steps = [kept for kept in self.keep_ckpt_ids if kept != step] + [step]
        kept = steps[-self.max_keep_ckpts :]
        self.keep_ckpt_ids.clear()
        self.keep_ckpt_ids.extend(kept)
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        return [
            self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old))
            for old in steps[: -len(kept)]
        ]

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        self._previous_best = self._best_paths()
        for key in self._previous_best:
            self._set_best_path(key, None)  # else it is removed before there is a better one
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process():
            self._remove(runner, self._replaced_best())
        for key, path in self._best_paths().items():
            self._set_best_path(key, path or self._previous_best[key])
        self._previous_best = {}

    def _replaced_best(self) -> list[str]:
        """The best checkpoints that better ones have taken the place of, and an earlier run's."""
        now, before = self._best_paths(), self._previous_best
        better = [key for key in before if now[key]]
        replaced = [before[key] for key in better] + self._earlier_best * bool(better)
        return [path for path in replaced if path and path not in now.values()]

    def _best_paths(self) -> dict[str, str | None]:
        """Where the best checkpoint by each metric is; MMEngine has no key for a single one."""
        if not self.save_best:
            return {}
        if len(self.key_indicators) == 1:
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_path(self, key: str, path: str | None) -> None:
        if not key:
            self.best_ckpt_path = path
        else:
            self.best_ckpt_path_dict[key] = path

    def _own(self, path: str | None) -> str | None:
        """The path of a checkpoint in the folder of this run, wherever another one had it."""
        name = Path(str(path)).name
        known = (f'best_*{Path(self.filename_tmpl).suffix}', self.filename_tmpl.format('*'))
        if not any(fnmatch(name, pattern) for pattern in known):
            return None
        return self.file_backend.join_path(self.out_dir, name)

    def _remove(self, runner, paths: list[str]) -> None:
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
                runner.logger.info(f'Removed {path}, which another one has replaced.')
