"""From a config file to a runner: load the config, check it, build what it describes, run it."""

import contextlib
import logging
import os
import textwrap
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

from mmengine.config import Config
from mmengine.dist import get_backend
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmdet_digits.checkpoints.reading import EXPECTED, trust_checkpoints
from mmdet_digits.checkpoints.resuming import find_resumable
from mmdet_digits.checks.config import scale_learning_rate
from mmdet_digits.checks.config_files import check_needed, merge_options, read_config
from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.preflight import check_options, missing_data, preflight, unread_keys
from mmdet_digits.checks.resume_differences import settle_differences
from mmdet_digits.checks.values import settle_loaders
from mmdet_digits.checks.weights import options_without, weight_sources
from mmdet_digits.engine.console_runner import ConsoleRunner
from mmdet_digits.engine.distributed import enter_run, join_processes
from mmdet_digits.engine.hooks.resumed_schedule_hook import ResumedScheduleHook
from mmdet_digits.engine.run_errors import explained_errors
from mmdet_digits.errors import InputError
from mmdet_digits.files import LOCK, check_writable, held_folder
from mmdet_digits.processes import process_rank
from mmdet_digits.repository import REPOSITORY


def train(args: Namespace) -> None:
    """Train as the command line of ``tools/train.py`` asks.

    Raises:
        InputError: the config, an option, the data or the checkpoint is not what it should be.
        Interrupted: a signal asked the run to stop.
        RunError: memory or the disk is full, or a data loader worker died.
    """
    cfg = load_config(args, splits=('train', 'val'))
    if args.amp:
        cfg.optim_wrapper.update(type='PortableAmpOptimWrapper', loss_scale='dynamic')
    if args.auto_scale_lr:
        cfg.merge_from_dict({'auto_scale_lr.enable': True})
    scale_learning_rate(cfg, int(os.environ.get('WORLD_SIZE', 1)))
    replan = args.resume and resume_from(cfg, None if args.resume == 'auto' else args.resume)
    stop_on_failures(cfg, ('train', 'val'), args.no_preflight)
    with hold_work_dir(cfg):
        runner = build_runner(cfg)
        if cfg.get('resume'):
            runner.register_hook(ResumedScheduleHook(replan))
        try:
            with explained_errors(runner):
                runner.train()
        except URLError as error:
            raise weights_unavailable(cfg, error) from error


def load_config(args: Namespace, splits: Sequence[str]) -> Config:
    """Load a config as the command line asks for it, and check it.

    Args:
        args: parsed arguments of :func:`config_parser`.
        splits: the splits that the tool reads, of ``'train'``, ``'val'`` and ``'test'``.

    Raises:
        InputError: the config, an option or the data set is not what it should be.
    """
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
    merge_options(cfg, args.cfg_options)
    findings = missing_data({f'{split}_dataloader': cfg[f'{split}_dataloader'] for split in splits})
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


def find_checkpoint(name: str) -> Path:
    """Find a checkpoint file by its path from here, or else from the root of this repository.

    Raises:
        InputError: it is not there.
    """
    path = Path(name)
    for place in (path, REPOSITORY / path):
        if place.is_file():
            return place
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
