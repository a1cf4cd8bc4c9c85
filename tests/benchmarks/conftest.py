"""What the tests of the benchmarks share."""

import logging

import pytest

from mmdet_digits.engine.no_output import disable_logging


@pytest.fixture(autouse=True)
def heard_again():
    """The scripts' own processes log nothing; this one goes on to."""
    yield
    disable_logging(logging.NOTSET)


@pytest.fixture
def work(digits_root):
    from contenders import Work

    return Work(digits_root / 'train.json', digits_root / 'train', batch=2, rounds=2, training=True)
