"""What the tests of the benchmarks share."""

import logging

import pytest
from mmengine.logging import MMLogger


@pytest.fixture(autouse=True)
def heard_again():
    """The scripts' own processes log nothing; this one goes on to."""
    yield
    logging.disable(logging.NOTSET)
    for logger in MMLogger._instance_dict.values():
        logger._cache.clear()  # what it may log; Python knows nothing of these loggers


@pytest.fixture
def work(digits_root):
    from contenders import Work

    return Work(digits_root / 'train.json', digits_root / 'train', batch=2, rounds=2, training=True)
