"""Tests of imports that are put off, on packages made here and on mmdet itself."""

import importlib
import subprocess
import sys

import pytest

from mmdet_digits.utils.deferred_imports import deferred

PARTS = """
LIMIT = 7

class Circle:
    unit = 1
    def __init__(self, radius):
        self.radius = radius
"""


@pytest.fixture
def shapes(tmp_path, monkeypatch):
    """A package ``shapes`` with a module ``shapes.round``."""
    folder = tmp_path / 'shapes'
    folder.mkdir()
    (folder / '__init__.py').write_text('')
    (folder / 'round.py').write_text(PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ('shapes', 'shapes.round'):
        sys.modules.pop(name, None)


def test_nothing_is_imported_until_it_is_used(shapes):
    with deferred('shapes'):
        import shapes.round as module
        from shapes.round import Circle
    assert not {'shapes', 'shapes.round'} & sys.modules.keys()

    circle = Circle(3)

    assert circle.radius == 3
    assert 'shapes.round' in sys.modules
    assert type(circle) is module.Circle is importlib.import_module('shapes.round').Circle


def test_names_and_modules_can_be_asked_for_what_they_have(shapes):
    with deferred('shapes'):
        import shapes.round as module
        from shapes.round import Circle

    assert module.LIMIT == 7
    assert Circle.unit == 1
    assert isinstance(Circle(2), Circle)
    assert not isinstance(3, Circle)


def test_one_module_of_a_package_can_be_put_off(shapes):
    package = importlib.import_module('shapes')
    with deferred('shapes.round'):
        import shapes.round as module
    assert not hasattr(package, 'round')
    assert 'shapes.round' not in sys.modules

    assert module.LIMIT == 7

    assert package.round is sys.modules['shapes.round']


def test_use_inside_the_block_is_refused(shapes):
    with deferred('shapes'):
        from shapes.round import Circle

        with pytest.raises(AttributeError, match=r'shapes\.round\.Circle is put off'):
            Circle(3)


def test_a_package_that_is_not_there_is_missed_at_once(shapes):
    with deferred('shapes', 'no_such_package'), pytest.raises(ModuleNotFoundError):
        import no_such_package  # noqa: F401


def test_what_is_imported_already_stays(shapes):
    real = importlib.import_module('shapes.round')
    with deferred('shapes'):
        import shapes.round as module
    assert module is real


def test_an_error_in_the_block_leaves_no_trace(shapes):
    with pytest.raises(ZeroDivisionError), deferred('shapes'):
        import shapes.round  # noqa: F401

        1 / 0  # noqa: B018
    assert importlib.import_module('shapes.round').LIMIT == 7


MMDET = """
import sys
import mmdet_digits.register
from mmdet_digits.utils.deferred_imports import UNUSED
too_early = sys.modules.keys() & set(UNUSED)
assert not too_early, too_early

import numpy as np
from mmdet.datasets.transforms.transforms import corrupt
from mmdet.datasets.transforms.generate_line import LineString
import torch
from mmdet.models.task_modules.tracking import InterpolateTracklets
from mmdet.utils.mot_error_visualize import mcolors

image = np.full((64, 64, 3), 128, np.uint8)
assert corrupt(image, corruption_name='brightness').mean() > 130
assert LineString([(0, 0), (3, 4)]).length == 5
assert torch.compile(torch.square, backend='eager')(torch.tensor(3)) == 9
assert mcolors.to_rgb('red') == (1, 0, 0)
track = np.array([[frame, 0, frame, 0, frame + 9, 20, 0.9] for frame in (0, 1, 4, 6, 7, 8)])
assert len(InterpolateTracklets(use_gsi=True).forward(track)) == 9
import matplotlib.pyplot
"""


def test_mmdet_starts_without_them_and_finds_them_when_they_are_used():
    subprocess.run([sys.executable, '-c', MMDET], check=True, timeout=120)
