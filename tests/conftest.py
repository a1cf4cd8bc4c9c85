"""What all tests share: the registered modules, and a small data set that is really drawn."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import run_in_process
from mmengine.registry import init_default_scope

import mmdet_digits.register  # noqa: F401  (before anything imports mmdet)
from mmdet_digits.synthetic.writer import DatasetSpec, write_dataset

init_default_scope('mmdet')

REPOSITORY = Path(__file__).resolve().parents[1]
USERS_DATA_ROOT = os.environ.get('DIGITS_DATA_ROOT')


@pytest.fixture(scope='session')
def digits_root(tmp_path_factory) -> Path:
    """Folder of a synthetic data set: 48 images to train on, 16 to validate, 16 to test.

    The 48 are there a second time as what ``tools/pseudo_label.py`` would write.
    """
    root = tmp_path_factory.mktemp('data') / 'digits'
    write_dataset(root, DatasetSpec(train=48, valid=16, test=16, seed=7, look='clear'), workers=1)
    (root / 'train_extra.json').write_bytes((root / 'train.json').read_bytes())
    (root / 'extra').symlink_to('train')
    return root


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """Also in the background, where it is ignored at first, and after a training that failed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def data_root_is_left_alone():
    """Reading a config with a data root names it in the environment, for the config."""
    yield
    os.environ.pop('DIGITS_DATA_ROOT', None)
    if USERS_DATA_ROOT is not None:
        os.environ['DIGITS_DATA_ROOT'] = USERS_DATA_ROOT


@pytest.fixture(scope='session')
def run_tool():
    """Run a tool of the repository in this process, from a folder of the caller's."""

    def run(tool: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess:
        done = run_in_process(tool, [*map(str, arguments)], cwd)
        return subprocess.CompletedProcess(
            [tool, *arguments], done.status, done.stdout, done.stderr
        )

    return run


@pytest.fixture(scope='session')
def run_process():
    """Run a tool as a user does, in a process of its own: where that is what a test is about."""

    def run(*arguments: object, cwd: Path, timeout: float = 900) -> subprocess.CompletedProcess:
        tool, *rest = map(str, arguments)
        environment = {k: v for k, v in os.environ.items() if k != 'DIGITS_DATA_ROOT'}
        return subprocess.run(
            [sys.executable, REPOSITORY / 'tools' / tool, *rest],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
