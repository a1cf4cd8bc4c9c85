"""What all tests share: the registered modules, and a small data set that is really drawn."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

import mmdet_digits.register  # noqa: F401  (before anything imports mmdet)
from mmdet_digits.datasets.synthetic.writer import DatasetSpec, write_dataset

init_default_scope('mmdet')

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def digits_root(tmp_path_factory) -> Path:
    """Folder of a synthetic data set: 48 images to train on, 16 to validate, 16 to test."""
    root = tmp_path_factory.mktemp('data') / 'digits'
    write_dataset(root, DatasetSpec(train=48, valid=16, test=16, seed=7, look='clear'), workers=1)
    return root


@pytest.fixture(scope='session')
def run_tool():
    """Run a tool of the repository in a process of its own, from a folder of the caller's."""

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
