"""What a training says when memory, disk or data workers fail it."""

import logging
import multiprocessing
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from ended_runs import During, end_of, three_iterations
from mmdet.registry import TRANSFORMS
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

cfg = three_iterations


def gpu_is_full(runner):
    raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 20.00 MiB.\nMore text')


def test_full_gpu_names_the_batch_and_the_next_size(cfg):
    text = end_of(cfg, During(gpu_is_full))
    assert text.startswith('The memory of the GPU is full.')
    assert '2 images in a batch, the largest is 96 x 48 pixels' in text
    assert 'CUDA out of memory. Tried to allocate 20.00 MiB.' in text and 'More text' not in text
    assert '--cfg-options train_dataloader.batch_size=1 --auto-scale-lr' in text
    assert '--amp' in text
    assert 'There is no checkpoint yet: the same command starts over.' in text


def test_a_recipe_that_has_to_change_starts_anew_from_the_last_weights(cfg):
    """With another batch or learning rate no training is continued."""
    Path(cfg.work_dir, 'last_checkpoint').write_text('run/epoch_3.pth')
    text = end_of(cfg, During(gpu_is_full))
    assert '--work-dir NEW --cfg-options load_from=run/epoch_3.pth' in text
    assert '--resume' not in text


def test_full_gpu_in_a_validation_is_about_its_own_batches(cfg):
    text = end_of(cfg, During(gpu_is_full, stage='val'))
    assert '--cfg-options val_dataloader.batch_size=1' in text
    assert 'auto-scale-lr' not in text
    assert f'--resume {cfg.work_dir}/epoch_1.pth' in text


def test_a_batch_of_one_that_does_not_fit_cannot_get_smaller(cfg):
    cfg.train_dataloader.batch_size = 1
    text = end_of(cfg, During(gpu_is_full))
    assert 'batch_size=' not in text
    assert 'a smaller scale' in text


@pytest.mark.parametrize('library', [np, torch])
def test_full_host_memory(cfg, library):
    text = end_of(cfg, During(lambda runner: library.ones(2**55)))
    assert text.startswith('The memory of this machine is full.')
    assert 'llocate' in text  # NumPy's or torch's own words
    assert 'train_dataloader.batch_size=1' in text


@pytest.mark.parametrize('stage', ['train', 'val'])
def test_killed_data_worker_is_named_with_the_options_that_do_without(cfg, stage):
    loader = cfg[f'{stage}_dataloader']
    loader.update(num_workers=1, batch_size=1, prefetch_factor=2)
    killed = []

    def kill(runner):
        (worker,) = multiprocessing.active_children()
        killed.append(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)

    text = end_of(cfg, During(kill, stage))
    worker = rf'DataLoader worker \(pid(\(s\))? {killed[0]}\) '
    died = rf'A data worker died: ({worker}is killed|{worker}exited|ConnectionResetError)'
    assert re.match(died, text)
    assert f'{stage}_dataloader.num_workers=1' in text
    fix = f'{stage}_dataloader.num_workers=0 {stage}_dataloader.persistent_workers=False'
    assert f'--cfg-options {fix}' in text


@TRANSFORMS.register_module()
class FromServer:
    """A step of a pipeline whose server is away."""

    def __call__(self, results):
        raise ConnectionResetError('the server of the images')


@pytest.mark.parametrize('workers', [0, 1])
def test_a_server_that_is_away_is_no_dead_worker(cfg, workers):
    if workers:
        cfg.train_dataloader.update(num_workers=1, prefetch_factor=2)
    cfg.train_dataloader.dataset.pipeline.insert(0, dict(type='FromServer'))
    text = end_of(cfg, error=ConnectionResetError)
    assert 'the server of the images' in text and 'A data worker died' not in text


def test_connection_that_is_lost_while_workers_are_read(cfg, monkeypatch):
    """As it is when the system has ended a worker, and torch sees it as alive a moment longer."""

    def lost(*args, **kwargs):
        raise EOFError('no more data')

    def lose(runner):
        monkeypatch.setattr(_MultiProcessingDataLoaderIter, '_try_get_data', lost)

    cfg.train_dataloader.update(num_workers=1, batch_size=1, prefetch_factor=1)
    assert end_of(cfg, During(lose)).startswith('A data worker died: EOFError, no more data.')


def full_scalars(runner):
    Path(runner.log_dir, 'vis_data', 'scalars.json').symlink_to('/dev/full')


def full_log(runner):
    handler = next(h for h in runner.logger.handlers if isinstance(h, logging.FileHandler))
    handler.setStream(Path('/dev/full').open('w'))  # noqa: SIM115
    handler.setLevel(logging.INFO)
    runner.logger.setLevel(logging.INFO)


def full_tensorboard(runner):
    backend = runner.visualizer.get_backend('TensorboardVisBackend')
    record_writer = backend.experiment._get_file_writer().event_writer._async_writer._writer
    record_writer._writer = Path('/dev/full').open('wb', buffering=0)  # noqa: SIM115


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
@pytest.mark.parametrize('fill', [full_scalars, full_log, full_tensorboard])
def test_full_disk_while_logging_is_one_message(cfg, capfd, fill):
    cfg.default_hooks.logger.interval = 1
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    text = end_of(cfg, before=fill)
    assert ': the disk is full.' in text
    assert 'No space left on device' in text
    assert 'delete old checkpoints' in text
    output, errors = capfd.readouterr()
    assert 'Traceback' not in output + errors
    assert 'Logging error' not in errors


def test_other_errors_stay_what_they_are(cfg):
    def fail(runner):
        raise RuntimeError('size mismatch')

    assert end_of(cfg, During(fail), error=RuntimeError) == 'size mismatch'
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
