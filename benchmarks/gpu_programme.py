"""All that wants a GPU, in the minutes that there is one: speed, trainings, tests and weights.

python benchmarks/gpu_programme.py --minutes 9 --out work_dirs/gpu --train data/svhn --test data/hw2
python benchmarks/gpu_programme.py --sizes tiny ...    # a rehearsal on a CPU

The trainings get the time that the rest leaves: as many images as the measured images per second
allow, so that the learning rate ends at zero in time. results.json and results.md in --out are
written after each stage. Started again with the same --out it does what is not done; a stage that
fails does not stop the others. Exit status 1 if one has failed.
"""

import argparse
import hashlib
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import joblib
from mmengine.config import Config
from planned_training import DRAWN, epochs_of, images_in, on_drawn_scenes, plan_training, steps_of
from programme_page import page
from programme_sizes import SIZES, Sizes
from stages import FAILED, Record, Stage, failure, output_of, run_stages, run_within
from variant_runs import last_checkpoint, training_seconds
from variants import changed

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.checks.preflight import missing_data
from mmdet_digits.checks.weights import options_without, weight_sources
from mmdet_digits.cli import parse_config_options, run_tool
from mmdet_digits.errors import InputError, RunError
from mmdet_digits.files import held_folder, read_json, write_file
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.runs.run_history import read_run

TOOLS, BENCHMARKS = REPOSITORY / 'tools', Path(__file__).resolve().parent
PIECE = 15_000_000  # bytes
AMP, FP32 = PRECISIONS = ('AMP', 'FP32')
USUAL_GAIN = 2.0  # of mixed precision, where it is not measured
USUAL_START_UP = 20.0  # seconds
FETCH = 'import sys, mmdet_digits.checkpoints.sources as s; s.load_from_source(sys.argv[1])'

Found = dict[str, Any]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--minutes', type=float, required=True, help='to use, at most')
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    parser.add_argument('--train', type=Path, required=True, help='train.json, valid.json, images')
    parser.add_argument('--test', type=Path, required=True, help='folder with test.json and test/')
    parser.add_argument('--sizes', choices=SIZES, default='full', help='default: %(default)s')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main() -> int:
    """Run the programme."""
    args = parse_args()
    ends = time.monotonic() + 60 * args.minutes
    train, test, out = (path.resolve() for path in (args.train, args.test, args.out))
    settings = dict(sizes=args.sizes, train=str(train), test=str(test))
    with held_folder(out):
        programme = Programme(SIZES[args.sizes], train, test, Record(out, settings, page))
        programme.check_data()
        run_stages(programme.stages, programme.record, ends)
    print(f'written to {out}: results.json, results.md')
    return int(any(s['state'] == FAILED for s in programme.record.stages.values()))


@dataclass(frozen=True)
class Programme:
    """The stages and what each does.

    Args:
        sizes: what is run.
        train: folder with ``train.json``, ``valid.json`` and their images.
        test: folder with ``test.json`` and its images.
        record: what was found so far.
    """

    sizes: Sizes
    train: Path
    test: Path
    record: Record

    def check_data(self) -> None:
        """Raise InputError unless the data is there."""
        recipe = config_of(self.sizes.recipes[1])
        train, test = read_config(recipe, self.train), read_config(recipe, self.test)
        loaders = {name: train[name] for name in ('train_dataloader', 'val_dataloader')}
        findings = missing_data({**loaders, 'test_dataloader': test.test_dataloader})
        if findings:
            raise InputError('\n'.join(map(str, findings)))
        read_json(self.test / 'test.json', 'a COCO file')

    def stages(self) -> list[Stage]:
        """All stages. The other detectors are left out first, then the profile and float32."""
        *others, own = self.sizes.detectors
        return [
            self.stage('environment', self.examine),
            self.stage('starting weights', self.fetch_weights),
            self.stage(f'speed: {own}', partial(self.time_steps, own)),
            *(
                self.stage(f'speed: {name}', partial(self.time_steps, name), rank=2)
                for name in others
            ),
            self.stage('profile', self.profile, rank=1),
            *self.trainings(AMP, weight=1, rank=0),
            self.stage('weights', self.export),
            *self.trainings(FP32, weight=self.gain(), rank=1),
        ]

    def stage(self, name: str, run: Callable, weight: float = 0, rank: int = 0) -> Stage:
        """A stage with its seconds."""
        return Stage(name, run, *self.sizes.seconds_of(name), weight, rank)

    def trainings(self, precision: str, weight: float, rank: int) -> list[Stage]:
        """Trainings and tests of the recipes."""
        kinds = (('training', self.train_recipe, weight), ('test', self.test_recipe, 0))
        return [
            self.stage(
                f'{kind}: {recipe}, {precision}', partial(run, recipe, precision), part, rank
            )
            for kind, run, part in kinds
            for recipe in self.sizes.recipes
        ]

    def needed(self, name: str) -> Found:
        """What a stage has found.

        Raises:
            RunError: it is not done.
        """
        found = self.record.found(name)
        if found is None:
            raise RunError(f'It needs "{name}", which is not done.')
        return found

    def examine(self, folder: Path, seconds: float) -> Found:
        """Look at the machine, at what is installed and at the training data."""
        command = [sys.executable, TOOLS / 'doctor.py', '--data-root', self.train, '--json']
        status = run_within(command, folder, seconds)
        if status not in (0, 1):  # 1: a check fails, and says so
            raise failure(folder, status)
        return read_json(folder / 'stdout.txt', 'what tools/doctor.py prints')

    def fetch_weights(self, folder: Path, seconds: float) -> Found:
        """Fetch what the first recipe starts from; where that fails, all its layers are trained."""
        ends = time.monotonic() + seconds
        cfg = read_config(config_of(self.sizes.recipes[0]), self.train)
        without = []
        for path, source in weight_sources(cfg):
            command = [sys.executable, '-c', FETCH, source]
            if run_within(command, folder, ends - time.monotonic()) != 0:
                without += options_without(cfg, path).split()
        return dict(options=without)

    def time_steps(self, detector: str, folder: Path, seconds: float) -> Found:
        """Time training steps of a detector, in as many ways as there is time for."""
        command = [*self.step_command('step_ways.py', detector), '--json', folder / 'ways.json']
        status = run_within([*command, '--batches', *self.sizes.batches], folder, seconds)
        if not (folder / 'ways.json').is_file():
            raise failure(folder, status)
        ways = read_json(folder / 'ways.json', 'what step_ways.py writes')
        return dict(ways=ways, complete=status == 0)

    def profile(self, folder: Path, seconds: float) -> Found:
        """Look where the time of a training step goes."""
        command = self.step_command('profile_step.py', self.sizes.detectors[-1])
        command += ['--batch', self.sizes.batches[0], '--amp']
        return dict(printed=output_of(command, folder, seconds))

    def step_command(self, script: str, detector: str) -> list[object]:
        """The command that takes training steps on real images."""
        images = ['--images', self.train / 'train', '--ann', self.train / 'train.json']
        script = BENCHMARKS / script
        return [sys.executable, script, detector, *images, '--repeats', self.sizes.repeats]

    def rate(self, precision: str) -> float | None:
        """Images per second of the recipes' detector in their batch, where it was measured."""
        timed = self.record.found(f'speed: {self.sizes.detectors[-1]}') or dict(ways=[])
        key = (self.sizes.batches[0], precision == AMP)
        rates = {(way['batch'], way['amp']): way.get('rates') for way in timed['ways']}
        return median(rates[key]) if rates.get(key) else None

    def gain(self) -> float:
        """How many times as fast as float32 mixed precision is."""
        mixed, full = self.rate(AMP), self.rate(FP32)
        return mixed / full if mixed and full else USUAL_GAIN

    def train_recipe(self, recipe: str, precision: str, folder: Path, seconds: float) -> Found:
        """Train a recipe, in float32 for as many steps as it was in mixed precision."""
        ends = time.monotonic() + seconds
        cfg = self.starting_config(recipe, precision)
        batch = cfg.train_dataloader.batch_size
        if precision == AMP:
            epochs, images = self.plan(recipe, batch, seconds)
        else:
            twin = self.needed(f'training: {recipe}, {AMP}')
            epochs, images = twin['epochs'], twin['images']
        plan_training(cfg, epochs, images, precision == AMP).dump(folder / 'config.py')
        run = folder / 'run'
        command = [sys.executable, TOOLS / 'train.py', folder / 'config.py', '--work-dir', run]
        status = run_within(command, folder, ends - time.monotonic())
        if status or last_checkpoint(run) is None:  # one that was ended in time has saved
            raise failure(folder, status)
        history = read_run(run)
        return dict(
            epochs=epochs,
            images=images,
            steps=steps_of(epochs, images, batch),
            last_logged_step=max(history.iterations),
            seconds_per_image=training_seconds(run),
            last_loss=list(history.series('loss').values())[-1],
            last_learning_rate=list(history.series('lr').values())[-1],
            ended_early=status is None,
            checkpoint=str(last_checkpoint(run)),
        )

    def starting_config(self, recipe: str, precision: str) -> Config:
        """A recipe with its data and the weights that it starts from."""
        cfg = read_config(config_of(recipe), self.train)
        first = self.sizes.recipes[0]
        if recipe == first:
            cfg = on_drawn_scenes(cfg)
        else:
            cfg.load_from = self.needed(f'training: {first}, {precision}')['checkpoint']
        workers = cfg.train_dataloader.num_workers
        cfg.train_dataloader.num_workers = workers and max(workers, joblib.cpu_count() - 2)
        return changed(cfg, parse_config_options(self.needed('starting weights')['options']))

    def plan(self, recipe: str, batch: int, seconds: float) -> tuple[int, int]:
        """Epochs, and images of each, for which there is time in mixed precision."""
        content = read_json(self.train / 'train.json', 'a COCO file')
        real = len({box['image_id'] for box in content['annotations']})
        available = DRAWN if recipe == self.sizes.recipes[0] else real
        images = images_in(seconds, *self.start_up_and_pace())
        return epochs_of(min(images, self.sizes.most_images), available, batch)

    def start_up_and_pace(self) -> tuple[float, float]:
        """Seconds of a training without its steps, and seconds per image, in mixed precision.

        Raises:
            RunError: no step was timed.
        """
        trained = self.record.found(f'training: {self.sizes.recipes[0]}, {AMP}')
        if trained:
            pace = trained['seconds_per_image']
            steps = pace * trained['epochs'] * trained['images']
            return USUAL_START_UP if trained['ended_early'] else trained['seconds'] - steps, pace
        if rate := self.rate(AMP) or self.rate(FP32):
            return USUAL_START_UP, 1 / rate
        raise RunError('Nothing has measured how fast this machine trains.')

    def test_recipe(self, recipe: str, precision: str, folder: Path, seconds: float) -> Found:
        """Test a trained recipe."""
        checkpoint = self.needed(f'training: {recipe}, {precision}')['checkpoint']
        command = [sys.executable, TOOLS / 'test.py', config_of(recipe), checkpoint]
        command += ['--data-root', self.test, '--work-dir', folder / 'run']
        output_of(command, folder, seconds)
        return read_json(folder / 'run/metrics.json', 'what tools/test.py writes')

    def export(self, folder: Path, seconds: float) -> Found:
        """Write the weights of the second recipe in float16, in pieces beside the results."""
        recipe = self.sizes.recipes[1]
        checkpoint = self.needed(f'training: {recipe}, {AMP}')['checkpoint']
        name = f'{recipe}.safetensors'
        tool = TOOLS / 'model_converters/checkpoint2safetensors.py'
        command = [sys.executable, tool, checkpoint, folder / name, '--dtype', 'float16']
        output_of(command, folder, seconds)
        content = (folder / name).read_bytes()
        pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
        for number, piece in enumerate(pieces):
            write_file(self.record.folder / f'{name}.{number:02}', piece)
        return dict(
            bytes=len(content),
            pieces=len(pieces),
            sha256=hashlib.sha256(content).hexdigest(),
            join=f'cat {name}.[0-9]* > {name}',
        )


def config_of(recipe: str) -> str:
    """The file of a recipe."""
    return str(REPOSITORY / 'configs' / 'digits' / f'{recipe}.py')


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without the stage under way
    run_tool(main)
