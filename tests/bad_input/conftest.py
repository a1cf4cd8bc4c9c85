import gc
import shutil
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config, utils
from sound import make_sound_folder


@pytest.fixture(scope='session')
def sound_folder(tmp_path_factory) -> Path:
    """A folder in which nothing is wrong; see ``sound.py``. Not to be changed."""
    folder = tmp_path_factory.mktemp('sound')
    make_sound_folder(folder)
    return folder


@pytest.fixture
def folder(sound_folder, tmp_path):
    """A copy of the sound folder, to break and to run a command in; its name is a hard one."""
    copy = tmp_path / "straße 7's 数字"
    shutil.copytree(sound_folder, copy)
    yield copy
    shutil.rmtree(copy)


@pytest.fixture(scope='module', autouse=True)
def quick_runs():
    """Leave out what costs a run of few images most.

    That is: formatting its config, reading mmdet's list of configs for each, looking for cycles.
    """
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, 'pretty_text', '')
        patch.setattr(utils, 'load', cache(utils.load))
        yield
    gc.unfreeze()
