"""Ctrl-C while a tool imports torch and mmdet ends it with one line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmdet_digits.repository import REPOSITORY

TINY = 'configs/digits/frcnn_tiny.py'
TRAIN = ('train.py', TINY)
PREDICT = ('predict.py', TINY, 'x', 'y', '--out')


@pytest.mark.skipif(not Path('/proc/self/maps').exists(), reason='needs /proc')
@pytest.mark.parametrize(
    ('arguments', 'library'),
    [
        (TRAIN, 'libtorch_cpu'),
        pytest.param(TRAIN, 'torchvision', marks=pytest.mark.slow),
        pytest.param(PREDICT, 'libtorch_cpu', marks=pytest.mark.slow),
        (PREDICT, 'torchvision'),
    ],
)
def test_ctrl_c_while_libraries_are_imported(digits_root, tmp_path, arguments, library):
    tool, *rest = arguments
    if tool == 'predict.py':
        rest += ['out']
        tmp_path.joinpath('y').symlink_to(digits_root / 'test')
    else:
        rest += ['--data-root', str(digits_root)]
    command = [sys.executable, str(REPOSITORY / 'tools' / tool), *rest]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            if library in Path(f'/proc/{process.pid}/maps').read_text():
                process.send_signal(signal.SIGINT)
                break
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, 'Stopped by Ctrl-C.\n')
