"""SIGKILL at random moments of a run that does hardly anything but save checkpoints."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from small_trainings import small_runner

from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.checkpoints.resuming import find_resumable

pytestmark = pytest.mark.skipif(os.name != 'posix', reason='needs SIGKILL')
SIZE = 2_000_000  # 16 MB per checkpoint, with its momentum
EPOCHS = 10_000


def train_on(folder: Path, epochs: int) -> None:
    """Train from the last checkpoint of a folder."""
    last = find_resumable(folder)
    small_runner(folder, epochs, SIZE, load_from=last, resume=bool(last), max_keep_ckpts=2).train()


def wait_for(condition, process) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.0005)


def kill_while_saving(folder: Path, moments: random.Random) -> set[str]:
    """Train, kill the process at a random moment of writing; return what was being written."""
    process = multiprocessing.get_context('spawn').Process(target=train_on, args=[folder, EPOCHS])
    process.start()
    before = (folder / 'last_checkpoint').stat().st_mtime_ns if epochs(folder) else 0
    wait_for(lambda: epochs(folder), process)
    wait_for(lambda: (folder / 'last_checkpoint').stat().st_mtime_ns > before, process)
    time.sleep(moments.uniform(0, 0.3))
    wait_for(lambda: any(folder.glob('.*.part')), process)
    time.sleep(moments.uniform(0, 0.02))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return {path.name for path in folder.glob('.*.part')}


def epochs(folder: Path) -> list[Path]:
    return sorted(folder.glob('epoch_*.pth')) if (folder / 'last_checkpoint').exists() else []


def check_folder(folder: Path) -> int:
    """Check that every file is whole; return the epoch that a run would go on from."""
    for path in folder.glob('*.pth'):
        content = read_checkpoint(path)
        assert content['state_dict']['vector'].shape == (SIZE,)
    pointer = Path((folder / 'last_checkpoint').read_text())
    last = find_resumable(folder)
    meta = read_checkpoint(last)['meta']
    assert meta['epoch'] >= read_checkpoint(pointer)['meta']['epoch']
    best = read_checkpoint(last)['message_hub']['runtime_info'].get('best_ckpt')
    assert best is None or Path(best).exists()
    return meta['epoch']


@pytest.mark.parametrize('kills', [4, pytest.param(40, marks=pytest.mark.slow)])
def test_whenever_it_is_killed_the_last_whole_checkpoint_is_found(tmp_path, kills):
    moments, interrupted, done = random.Random(7), set(), 0
    for _ in range(kills):
        interrupted |= kill_while_saving(tmp_path, moments)
        epoch = check_folder(tmp_path)
        assert epoch >= done, 'an epoch was lost'
        done = epoch
    assert interrupted, 'no kill fell into the writing of a file'
    train_on(tmp_path, done + 2)
    assert {path.name for path in tmp_path.glob('.*')} == set()
    assert {path.name for path in tmp_path.glob('*.pth')} == {
        f'epoch_{done + 1}.pth',
        f'epoch_{done + 2}.pth',
        f'best_progress_epoch_{done + 2}.pth',
    }
    assert check_folder(tmp_path) == done + 2
