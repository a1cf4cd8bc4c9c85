"""The garbage collector pauses where it is told to, and goes on as it was."""

import gc
import subprocess
import sys

import pytest

from mmdet_digits.utils.collector import paused_collector


@pytest.fixture(autouse=True)
def enabled():
    gc.enable()
    yield
    gc.enable()


def test_pauses_within_and_goes_on_even_after_an_error():
    with pytest.raises(ValueError), paused_collector():
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()


def test_one_pause_within_another_does_not_end_it():
    with paused_collector():
        with paused_collector():
            pass
        assert not gc.isenabled()


def test_decorates_functions():
    @paused_collector()
    def state():
        return gc.isenabled()

    assert [state(), state(), gc.isenabled()] == [False, False, True]


def test_what_a_config_imports_is_left_alone_and_the_rest_is_looked_after():
    code = (
        'import gc; from mmdet_digits.cli import read_config; before = gc.isenabled();'
        'read_config("configs/digits/frcnn_tiny.py"); first = gc.get_freeze_count();'
        'read_config("configs/digits/frcnn_tiny.py");'
        'print(before, gc.isenabled(), first > 100_000, gc.get_freeze_count() <= first)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.split()[-4:] == ['True'] * 4, done.stderr
