"""Trainings and tests of variants, by the tools of this project; what is done is not done again."""

import hashlib
import json
import logging
import multiprocessing
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from mmengine.config import Config
from variants import as_arguments, changed

from mmdet_digits.checks.config_data import coco_splits
from mmdet_digits.checks.config_files import read_config
from mmdet_digits.checks.preflight import missing_data
from mmdet_digits.errors import InputError, RunError
from mmdet_digits.files import read_json
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.runs.run_history import read_run

TAIL = 15  # lines of a failed run that are shown


@dataclass(frozen=True)
class Experiment:
    """What all variants of a study have in common.

    A run has a folder named after a digest of its whole config and of the annotation file, so that
    equal runs are done once, whatever study asks for them, and changed ones are done anew.

    Args:
        config: its file.
        data_root: what is trained on.
        out: folder of all runs.
        options: changes of the config, for every variant.
    """

    config: Path
    data_root: Path
    out: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def read_config(
        self, options: Mapping[str, Any] | None = None, data_root: Path | None = None
    ) -> Config:
        """The config of a variant; without its options that of all."""
        cfg = read_config(str(self.config), str(data_root or self.data_root))
        return changed(cfg, {**self.options, **(options or {})})

    def check_data_is_there(self, data_root: Path, splits: Sequence[str]) -> None:
        """Raise InputError unless the annotation files and images of these splits are there."""
        cfg = self.read_config(data_root=data_root)
        findings = missing_data(
            {f'{split}_dataloader': cfg[f'{split}_dataloader'] for split in splits}
        )
        if findings:
            raise InputError('\n'.join(map(str, findings)))

    def training_of(self, options: Mapping[str, Any]) -> Path:
        """The folder of a variant's training, done or not."""
        return self.out / 'trainings' / digest(self.read_config(options), 'train')

    def is_trained(self, options: Mapping[str, Any]) -> bool:
        """Whether a variant's training has reached its last epoch."""
        epochs = self.read_config(options)['train_cfg']['max_epochs']
        last = last_checkpoint(self.training_of(options))
        return last is not None and last.name == f'epoch_{epochs}.pth' and last.is_file()

    def train(self, options: Mapping[str, Any]) -> Path:
        """Train a variant, or go on with it, unless it is trained; return its folder."""
        folder = self.training_of(options)
        if not self.is_trained(options):
            self._run('train.py', [], folder, ['--resume'], options, self.data_root)
        return folder

    def test(self, checkpoint: Path, options: Mapping[str, Any], data_root: Path) -> dict[str, Any]:
        """Test a checkpoint on a data set, unless that is done; return ``metrics.json``."""
        cfg = self.read_config(options, data_root)
        changed_at = checkpoint.stat().st_mtime_ns
        folder = self.out / 'tests' / digest(cfg, 'test', f'{checkpoint.resolve()} {changed_at}')
        if not (folder / 'metrics.json').is_file():
            self._run('test.py', [checkpoint], folder, [], options, data_root)
        return read_json(folder / 'metrics.json', 'what tools/test.py writes')

    def _run(self, tool: str, inputs, folder: Path, flags, options, data_root: Path) -> None:
        """Run a tool in a process of its own; what it prints goes to a file."""
        cfg = read_config(str(self.config), str(data_root))
        options = as_arguments(cfg, {**self.options, **options})
        command = [sys.executable, REPOSITORY / 'tools' / tool, self.config, *inputs, *flags]
        command += ['--data-root', data_root, '--work-dir', folder, '--cfg-options', *options]
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / f'{Path(tool).stem}.out'
        with output.open('w') as file:
            status = wait_for(subprocess.Popen(list(map(str, command)), stdout=file, stderr=file))
        if status:
            tail = '\n'.join(output.read_text(errors='replace').splitlines()[-TAIL:])
            raise RunError(f'tools/{tool} ended with status {status}; {output} ends so:\n{tail}')


def wait_for(process: subprocess.Popen) -> int:
    """Wait for a process and return its status; if this one is stopped, so is the other."""
    try:
        return process.wait()
    except KeyboardInterrupt:  # Ctrl-C reaches the other too: it saves what it has
        process.wait()
        raise
    except BaseException:
        process.terminate()
        process.wait()
        raise


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that a training has written last."""
    pointer = folder / 'last_checkpoint'
    return Path(pointer.read_text().strip()) if pointer.is_file() else None


def digest(cfg: Config, split: str, more: str = '') -> str:
    """Ten letters and figures that stand for a config, its annotation file and ``more``."""
    content = json.dumps(cfg.to_dict(), sort_keys=True, default=str) + more
    ann_file = coco_splits(cfg, [split])[split].ann_file
    return hashlib.sha256(content.encode() + ann_file.read_bytes()).hexdigest()[:10]


def training_seconds(folder: Path) -> float | None:
    """Seconds of training per image: the median of those logged, without the first.

    Loading, forward, backward and step. Validations and checkpoints are not in it.

    Args:
        folder: of a training that logs means over as many iterations as lie between two logs.

    Returns:
        None where the log does not tell.
    """
    run = read_run(folder)
    times = list(run.series('time').values())
    times = times[1:] or times
    return median(times) / run.batch_size if times and run.batch_size else None


def measure_steps(
    experiment: Experiment, variants: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """Take two steps of training with each variant, in a process of its own.

    Returns:
        Seconds per image of the second step, by name: an estimate of what training costs.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        return {
            name: pool.submit(_measure_step, experiment, options).result()
            for name, options in variants.items()
        }


def _measure_step(experiment: Experiment, options: Mapping[str, Any]) -> float:
    from detectors import build_model

    # isort: split
    from common import seconds_of
    from mmdet.registry import DATASETS
    from mmengine.dataset import pseudo_collate
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import init_default_scope

    logging.disable(logging.INFO)
    init_default_scope('mmdet')
    cfg = experiment.read_config(options)
    model = build_model(cfg)
    wrapper = build_optim_wrapper(model.train(), cfg.optim_wrapper)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    images = min(cfg.train_dataloader.batch_size, len(dataset))
    batch = pseudo_collate([dataset[index] for index in range(images)])
    seconds = [seconds_of(lambda: model.train_step(batch, wrapper)) for _ in range(2)]
    return seconds[1] / images
