"""A config that each test may change."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config

TINY = Path(__file__).resolve().parents[2] / 'configs/digits/frcnn_tiny.py'


@pytest.fixture(scope='session')
def loaded_tiny_cfg(digits_root) -> Config:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DIGITS_DATA_ROOT', str(digits_root))
        return Config.fromfile(TINY)


@pytest.fixture
def cfg(loaded_tiny_cfg) -> Config:
    """The tiny config, for the small data set."""
    return copy.deepcopy(loaded_tiny_cfg)
