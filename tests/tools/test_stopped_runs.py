"""Runs that are stopped, or run into something, as their user sees it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmdet_digits.repository import REPOSITORY

TINY = 'configs/digits/frcnn_tiny.py'
EVERY_STEP = ('default_hooks.logger.interval=1', 'train_cfg.val_interval=99')


class Run:
    """A tool in a process group of its own: a signal to it reaches its data workers too."""

    def __init__(self, folder: Path, tool: str, *arguments: object) -> None:
        self.folder = folder
        self.out, self.err = (folder / f'{tool}.{name}' for name in ('out', 'err'))
        self.process = subprocess.Popen(
            [sys.executable, REPOSITORY / 'tools' / tool, *map(str, arguments)],
            cwd=folder,
            stdout=self.out.open('w'),
            stderr=self.err.open('w'),
            start_new_session=True,
        )

    def wait_for(self, text: str) -> None:
        """Wait until the tool has printed a text."""
        while not re.search(text, self.out.read_text()):
            assert self.process.poll() is None, self.err.read_text()
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """The process ids of its data workers."""
        return [int(child) for child in children(self.process.pid).split()]

    def stop(self, *numbers: signal.Signals) -> tuple[int, str]:
        """Send signals; returns the exit status and what was printed about it."""
        for number in numbers:
            os.killpg(self.process.pid, number)
            time.sleep(0.01)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Wait for the end; returns the exit status and what was printed about it."""
        status = self.process.wait(timeout=600)
        said = self.err.read_text()
        assert 'Traceback' not in said
        assert 'Traceback' not in self.out.read_text()
        return status, said


def children(process: int) -> str:
    return Path(f'/proc/{process}/task/{process}/children').read_text()


@pytest.fixture
def train(digits_root, tmp_path):
    """Start a training that logs each step, on two data workers."""

    def start(*arguments, work_dir='run', options=()):
        run = ('--data-root', digits_root, '--work-dir', work_dir)
        workers = 'train_dataloader.num_workers=2'
        options = ('train_cfg.max_epochs=50', workers, *EVERY_STEP, *options)
        return Run(tmp_path, 'train.py', TINY, *run, *arguments, '--cfg-options', *options)

    return start


def steps(work_dir: Path) -> list[int]:
    """The iterations that the last start of a run has logged."""
    *_, log = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line)['step'] for line in log.read_text().splitlines()]


def test_ctrl_c_saves_and_says_how_to_go_on(train, tmp_path):
    run = train()
    run.wait_for(r'Epoch\(train\) +\[1\]\[2/6\]')
    status, said = run.stop(signal.SIGINT)
    assert status == 130
    done = re.fullmatch(
        r'Stopped by Ctrl-C after iteration (\d) of 300 \(epoch 1, batch \1 of 6\)\. Go on with: '
        r'the same command and --resume (\S+)\n',
        said,
    )
    assert steps(tmp_path / 'run')[-1] == int(done[1])
    assert Path(done[2]) == tmp_path / 'run' / 'interrupted.pth'
    assert Path(done[2]).is_file()


@pytest.mark.slow
def test_sigterm_and_resume_lose_no_iteration(train, tmp_path):
    run = train()
    run.wait_for(r'Epoch\(train\) +\[2\]\[2/6\]')
    status, said = run.stop(signal.SIGTERM)
    assert status == 143
    assert said.startswith('Stopped by SIGTERM after iteration ')
    last = steps(tmp_path / 'run')[-1]
    run = train('--resume')
    run.wait_for(rf'Epoch\(train\) +\[{(last + 2) // 6 + 1}\]\[{(last + 2) % 6 or 6}/6\]')
    assert run.stop(signal.SIGTERM)[0] == 143
    assert steps(tmp_path / 'run')[0] == last + 1


@pytest.mark.slow
def test_second_ctrl_c_stops_at_once(train, tmp_path):
    run = train()
    run.wait_for(r'Epoch\(train\) +\[1\]\[2/6\]')
    status, said = run.stop(signal.SIGINT, signal.SIGINT)
    assert status == 130
    assert said.startswith('Stopped by Ctrl-C at once. The same command and --resume')
    assert not (tmp_path / 'run' / 'interrupted.pth').exists()


@pytest.fixture
def checkpoint(train, tmp_path):
    """A checkpoint of one epoch."""
    status, said = train(options=('train_cfg.max_epochs=1',)).end()
    assert status == 0, said
    return tmp_path / 'run' / 'epoch_1.pth'


@pytest.mark.slow
def test_ctrl_c_ends_testing_and_predicting_with_one_line(checkpoint, digits_root, tmp_path):
    slow = ('--cfg-options', 'default_hooks.logger.interval=1', 'test_dataloader.batch_size=1')
    testing = Run(tmp_path, 'test.py', TINY, checkpoint, '--data-root', digits_root, *slow)
    testing.wait_for(r'Epoch\(test\)')
    assert testing.stop(signal.SIGINT) == (130, 'Stopped by Ctrl-C.\n')
    images = (digits_root / 'train', '--batch-size', 1, '--out', 'numbers')
    predicting = Run(tmp_path, 'predict.py', TINY, checkpoint, *images)
    predicting.wait_for('Loads checkpoint')
    assert predicting.stop(signal.SIGINT) == (130, 'Stopped by Ctrl-C.\n')


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self').exists(), reason='needs /proc')
def test_killed_data_worker_and_its_fix(train):
    run = train()
    run.wait_for(r'Epoch\(train\) +\[1\]\[2/6\]')
    os.kill(run.workers()[0], signal.SIGKILL)
    status, said = run.end()
    assert status == 1
    assert said.startswith('error: A data worker died: ')
    (fix,) = re.findall(r'--cfg-options (.*)', said)
    status, said = train(options=(*fix.split(), 'train_cfg.max_epochs=1')).end()
    assert status == 0, said


@pytest.mark.slow
def test_loss_that_blows_up_is_one_message(train, tmp_path):
    options = ('optim_wrapper.optimizer.lr=1e12', 'param_scheduler=[]')
    status, said = train(options=options).end()
    assert status == 1
    assert said.startswith('error: The loss is not finite in iteration ')
    assert 'seed: 42\n' in said
    assert not list((tmp_path / 'run').rglob('*.pth'))


@pytest.mark.slow
def test_full_disk_is_one_message(digits_root, tmp_path):
    """On a disk of 40 MiB, which has room for one checkpoint."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=40m none {disk}'
    if subprocess.run(['unshare', '-rm', 'sh', '-c', mount]).returncode:
        pytest.skip('may not mount a disk here')
    arguments = (TINY, '--data-root', digits_root, '--work-dir', disk / 'run')
    options = ('train_cfg.max_epochs=9', *EVERY_STEP)
    command = f'{mount} && head -c 39M /dev/zero > {disk}/rest && exec "$@"'
    tool = (sys.executable, REPOSITORY / 'tools/train.py', *arguments, '--cfg-options', *options)
    done = subprocess.run(
        ['unshare', '-rm', 'sh', '-c', command, 'sh', *map(str, tool)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith('error: ')
    assert 'o space left on device' in done.stderr
    assert 'Traceback' not in done.stdout + done.stderr


def test_a_second_run_in_the_folder_of_another_is_refused(train):
    first = train()
    first.wait_for(r'Epoch\(train\)')
    before = sorted(first.folder.glob('run/20*'))
    second = train()
    status, said = second.end()
    assert status == 1
    assert said.startswith('error: run: another run is writing there.\n')
    assert f'found:    process {first.process.pid} on ' in said
    assert sorted(first.folder.glob('run/20*')) == before
    status, said = first.stop(signal.SIGKILL)
    assert status == -signal.SIGKILL
    third = train()
    third.wait_for(r'Epoch\(train\)')
    third.stop(signal.SIGKILL)


def test_two_drawings_in_one_folder_are_one_too_many(tmp_path):
    arguments = ('synthetic', '--out', 'data', '--train', '50000', '--workers', '1')
    first = Run(tmp_path, 'prepare_data.py', *arguments)
    while not (tmp_path / 'data/train/3.png').exists():
        assert first.process.poll() is None
        time.sleep(0.05)
    (tmp_path / 'second').mkdir()
    second = Run(tmp_path / 'second', 'prepare_data.py', *arguments, '--out', tmp_path / 'data')
    status, said = second.end()
    assert status == 1 and 'another run is writing there' in said
    first.stop(signal.SIGINT)
