"""What the tests of the benchmarks share."""

import logging
from pathlib import Path

import pytest

from mmdet_digits.utils.silence import disable_logging

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Import the scripts' modules as they do. Their processes log nothing; this one goes on to."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    disable_logging(logging.NOTSET)


@pytest.fixture
def work(digits_root):
    from contenders import Work

    return Work(digits_root / 'train.json', digits_root / 'train', batch=2, rounds=2, training=True)
