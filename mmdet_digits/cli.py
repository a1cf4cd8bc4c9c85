"""What the command lines share: arguments, loading a config, one way to report an error.

To import this is quick, so that ``--help`` and what is wrong with the arguments is said at once:
functions that need torch import what needs it.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import multiprocessing
import os
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.error import URLError

from mmengine.config import Config, DictAction
from mmengine.logging import print_log

from mmdet_digits.checks.config_files import check_needed, load_config_file
from mmdet_digits.checks.finding import Status
from mmdet_digits.errors import InputError
from mmdet_digits.files import LOCK, check_writable, held_folder
from mmdet_digits.pipes import reader_may_leave
from mmdet_digits.processes import enter_run, join_processes, lost_process, process_rank
from mmdet_digits.repository import DATA_ROOT, REPOSITORY

if TYPE_CHECKING:
    from mmengine.runner import Runner

PATIENCE = 20  # seconds
SPINS = '100000'
"""How often a thread of GNU OpenMP looks whether it may go on, before it sleeps.

Its own value is three times as high. Threads that wait so make training many times slower where
anything else runs on the machine. With a tenth of this a step of the tiny detector took a tenth
longer on two free cores.
"""


def config_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the arguments of every tool that runs a config."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_tiny.py')
    parser.add_argument('--work-dir', help='folder for the outputs (default: work_dirs/CONFIG)')
    parser.add_argument('--data-root', help='folder with the data set (or set DIGITS_DATA_ROOT)')
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run are started',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    parser.add_argument(
        '--no-preflight', action='store_true', help='go on in spite of what the checks find'
    )
    add_trust_option(parser)
    return parser


class ConfigOptions(DictAction):
    """MMEngine's action for ``PATH=VALUE`` arguments, with a message for those that are not."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Parse the values into a dict."""
        for value in values:
            if '=' not in value:
                raise argparse.ArgumentError(self, f'found {value!r}, expected PATH=VALUE')
        super().__call__(parser, namespace, values, option_string)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, which :func:`load_config` obeys."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        default={},
        metavar='PATH=VALUE',
        help='change values of the config, e.g. train_dataloader.batch_size=8; a path that does '
        'not exist is an error, +PATH=VALUE adds one',
    )


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-checkpoint``, which :func:`load_config` and the converters obey."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='let a checkpoint run what code it holds, with all your rights',
    )


def load_config(args: argparse.Namespace, splits: Sequence[str]) -> Config:
    """Load a config as the command line asks for it, and check it.

    Args:
        args: parsed arguments of :func:`config_parser`.
        splits: the splits that the tool reads, of ``'train'``, ``'val'`` and ``'test'``.

    Raises:
        InputError: the config, an option or the data set is not what it should be.
    """
    from mmdet_digits.checkpoints.reading import trust_checkpoints
    from mmdet_digits.checks.preflight import check_data, check_options, unread_keys
    from mmdet_digits.checks.values import settle_loaders

    enter_run(args.launcher)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.trust_checkpoint:
        trust_checkpoints()
    cfg = read_config(args.config, args.data_root)
    check_needed(cfg, ['model', *(f'{split}_dataloader' for split in splits or ['test'])])
    suspicious, unread = unread_keys(cfg.to_dict(), cfg.text)
    findings = suspicious + check_options(cfg.to_dict(), args.cfg_options)
    if findings:
        raise InputError('\n'.join(map(str, findings)))
    if unread and not process_rank():
        print(f'Config keys that nothing reads: {", ".join(unread)}.')
    cfg.merge_from_dict({key.lstrip('+'): value for key, value in args.cfg_options.items()})
    findings = check_data({f'{split}_dataloader': cfg[f'{split}_dataloader'] for split in splits})
    if findings:
        raise InputError('\n'.join(map(str, findings)))
    settle_loaders(cfg)
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir or cfg.get('work_dir') or str(Path('work_dirs', Path(cfg.filename).stem))
    )
    if splits:
        check_writable(cfg.work_dir)
    return cfg


def read_config(name: str, data_root: str | None = None) -> Config:
    """Read a config file for the data in a folder.

    Args:
        name: its path, from here or from the root of this repository.
        data_root: None for ``DIGITS_DATA_ROOT``, or else ``data/digits``.

    Raises:
        InputError: there is no such config.
    """
    if data_root:
        os.environ['DIGITS_DATA_ROOT'] = str(Path(data_root).resolve())
    os.environ.setdefault('DIGITS_DATA_ROOT', str(DATA_ROOT))
    return load_config_file(find_config(name))


def stop_on_failures(cfg: Config, splits: Sequence[str], insist: bool) -> None:
    """Make the quick checks of a run; log what they warn of.

    Of the processes of one run only the first checks.

    Args:
        cfg: the config as it will be run.
        splits: the splits that the tool reads, of ``'train'``, ``'val'`` and ``'test'``.
        insist: log failures too, and go on.

    Raises:
        InputError: a check fails.
    """
    from mmdet_digits.checks.preflight import preflight

    if process_rank():
        return
    checks = preflight(cfg.to_dict(), splits)
    failures = [check for check in checks if check.status is Status.FAIL]
    if failures and not insist:
        shown = '\n'.join(map(str, failures))
        raise InputError(f'{shown}\n(--no-preflight goes on in spite of it.)')
    for check in failures + [check for check in checks if check.status is Status.WARN]:
        shown = replace(check, found=textwrap.shorten(check.found, 200, placeholder=' ...'))
        print_log(str(shown), 'current', logging.WARNING)


def hold_work_dir(cfg: Config, lock: str = LOCK) -> contextlib.AbstractContextManager:
    """Hold the work dir of a run, in the first of its processes, so that no other run writes to it.

    Args:
        cfg: the config as it will be run.
        lock: name of the lock; runs with another may write there too, to other files.

    Raises:
        InputError: on entering, another run holds it.
    """
    return contextlib.nullcontext() if process_rank() else held_folder(cfg.work_dir, lock)


def build_runner(cfg: Config) -> Runner:
    """The runner of a config: MMEngine's, less noisy, or the one its ``runner_type`` names.

    Raises:
        InputError: a class refuses its arguments.
    """
    from mmengine.dist import get_backend
    from mmengine.registry import RUNNERS

    from mmdet_digits.engine.console_runner import ConsoleRunner

    join_processes(cfg)
    try:
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else ConsoleRunner.from_cfg(cfg)
    except InputError:
        raise
    except (
        *(AssertionError, AttributeError, ImportError, KeyError),
        *(RuntimeError, TypeError, ValueError),
    ) as error:
        raise InputError(
            f'{cfg.filename}: what it describes cannot be built.',
            f'{type(error).__name__}: {error}',
            'arguments that the classes it names can work with',
            'correct that value; --debug shows the traceback, and so which class refused it',
        ) from error
    runner.logger.info(f'Config, environment and hooks: {runner.log_dir}/{runner.timestamp}.log')
    if runner.distributed:
        runner.logger.info(f'{runner.world_size} processes, joined by {get_backend()}.')
    return runner


def find_config(name: str) -> Path:
    """Find a config by its path from here, or else from the root of this repository.

    Raises:
        InputError: neither exists.
    """
    for path in (Path(name), REPOSITORY / name):
        if path.is_file():
            return path
    known = [str(p.relative_to(REPOSITORY)) for p in sorted(REPOSITORY.glob('configs/digits/*.py'))]
    raise InputError(
        f'{name}: no such config.',
        'a folder' if Path(name).is_dir() else 'nothing there',
        f'a file, e.g. one of {", ".join(known)}',
        f'did you mean {difflib.get_close_matches(name, known, n=1, cutoff=0)[0]}?',
    )


def find_checkpoint(name: str) -> Path:
    """Find a checkpoint file by its path from here, or else from the root of this repository.

    Raises:
        InputError: it is not there.
    """
    path = Path(name)
    for place in (path, REPOSITORY / path):
        if place.is_file():
            return place
    from mmdet_digits.checkpoints.reading import EXPECTED

    beside = sorted(str(p) for p in path.parent.glob('*.pth')) if path.parent.is_dir() else []
    raise InputError(
        f'{name}: no such checkpoint.',
        ', '.join(beside) or f'no .pth file in {path.parent}',
        EXPECTED,
        'give the path of one, or train one first',
    )


def resume_from(cfg: Config, wanted: str | None) -> bool:
    """Make a training go on from a checkpoint, or from its beginning if there is none.

    Args:
        cfg: changed in place; without a checkpoint its own ``load_from`` stays.
        wanted: the checkpoint; None for the last whole one in the folder of the run.

    Returns:
        Whether the schedule has to be planned anew, for another number of epochs.

    Raises:
        InputError: it is damaged or lacks something, or the config has changed too much.
    """
    from mmdet_digits.checkpoints.resuming import find_resumable
    from mmdet_digits.checks.resume_differences import settle_differences

    folder = cfg.default_hooks.checkpoint.get('out_dir')
    folder = Path(folder, Path(cfg.work_dir).name) if folder else Path(cfg.work_dir)
    checkpoint = find_resumable(folder, wanted)
    cfg.resume = checkpoint is not None
    if not checkpoint:
        return False
    cfg.load_from = str(checkpoint)
    return settle_differences(cfg, checkpoint)


def weights_unavailable(cfg: Config, error: URLError) -> InputError:
    """Explain that the weights that a config starts from could not be fetched."""
    from mmdet_digits.checks.weights import options_without, weight_sources

    failed = error.filename  # the source, as the loader says it
    sources = [(p, s) for p, s in weight_sources(cfg) if s == failed or (not failed and '://' in s)]
    return InputError(
        f'The pretrained weights could not be fetched: {error.reason}.',
        ', '.join(f'{path}={name}' for path, name in sources),
        'a connection, or a file',
        'fetch the file on another machine and add\n'
        f'         --cfg-options {" ".join(f"{path}=FILE.pth" for path, _ in sources)}\n'
        '       or start from random weights, with every layer trained:\n'
        f'         --cfg-options {" ".join(options_without(cfg, path) for path, _ in sources)}',
    )


def use_tta(cfg: Config, factors: Sequence[float] = (0.75, 1.0, 1.5)) -> None:
    """Make a config test each image at several scales and merge the boxes by NMS.

    A config's own ``tta_model`` and ``tta_pipeline`` are kept. mmdet's default flips the image,
    which is no use for digits.

    Args:
        cfg: changed in place.
        factors: scales, relative to that of the test pipeline.
    """
    load, resize, *annotations, pack = cfg.test_dataloader.dataset.pipeline
    scales = [[round(side * factor) for side in resize['scale']] for factor in factors]
    pack = dict(pack, meta_keys=(*pack['meta_keys'], 'flip', 'flip_direction'))
    views = [[dict(resize, scale=tuple(scale)) for scale in scales]]
    steps = [[step] for step in (dict(type='RandomFlip', prob=0.0), *annotations, pack)]
    cfg.setdefault('tta_pipeline', [load, dict(type='TestTimeAug', transforms=views + steps)])
    nms = dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)
    cfg.setdefault('tta_model', dict(type='DetTTAModel', tta_cfg=nms))
    cfg.model = dict(**cfg.tta_model, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline


@reader_may_leave()
def run_tool(main: Callable[[], None], debug: bool = '--debug' in sys.argv) -> None:
    """Run a tool; print what its user can put right without a traceback and exit with status 1.

    Ctrl-C ends it with one line and status 130, SIGTERM in a training with 143.
    """
    sys.excepthook = hush_orphans
    os.environ.setdefault('GOMP_SPINCOUNT', SPINS)  # read when torch is imported
    try:
        main()
    except KeyboardInterrupt as stop:
        if not process_rank():
            print(str(stop) or 'Stopped by Ctrl-C.', file=sys.stderr)
        sys.exit(getattr(stop, 'exit_status', 130))
    except (InputError, URLError) as error:
        if debug:
            raise
        # A DataLoader worker hands its exception on as text, traceback first.
        text = str(error).rpartition(f'{InputError.__name__}: ')[2]
        rank = process_rank()
        if rank:  # the first process, if it has met the same, says so and ends this one
            time.sleep(PATIENCE)
        sys.exit(f'error{f" of process {rank}" if rank else ""}: {text}')
    except RuntimeError as error:
        if debug or not lost_process(error):
            raise
        sys.exit('error: another process of this run has ended.')


def hush_orphans(kind: type[BaseException], error: BaseException, trace: TracebackType) -> None:
    """Show an uncaught exception, but not that a data worker lost the main process."""
    orphaned = issubclass(kind, ConnectionError | EOFError | KeyboardInterrupt)
    if not (orphaned and multiprocessing.parent_process()):
        sys.__excepthook__(kind, error, trace)
