"""Files that were made to run code or to be taken for something else, or that are only broken."""

import warnings
from contextlib import suppress

import hostile_archives
import hostile_pickles
import pytest
import torch
from hostile_pickles import CANARY
from mmengine.runner.checkpoint import get_torch_safe_globals
from pickles import archive, checkpoint

from mmdet_digits.checkpoints.reading import inspect_checkpoint, read_checkpoint
from mmdet_digits.errors import InputError

resource = pytest.importorskip('resource')

PICKLES = hostile_pickles.files()
ARCHIVES = hostile_archives.archives()
SAFETENSORS = hostile_archives.safetensors_files()
UNUSED = [
    *('a path upwards within', 'a link', 'an entry of no use', 'an archive within', 'a folder'),
    'two pickles',
]
MEGABYTES = 300


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Code that runs leaves a file in the current folder."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch's, on old pickle protocols
        yield


def ran(folder) -> bool:
    return any(folder.glob(f'{CANARY}*'))


def peak_kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def assert_refused(path, readers=(read_checkpoint, inspect_checkpoint)) -> None:
    before = peak_kilobytes()
    files = set(path.parent.iterdir())
    for read in readers:
        with pytest.raises(InputError) as error:
            read(path)
        lines = str(error.value).splitlines()
        assert lines[0].startswith(f'{path}: ')
        assert [line.split()[0] for line in lines[1:]] == ['found:', 'expected:', 'fix:']
        assert 'Re-running' not in lines[1]  # torch's advice to run what the file holds
    assert set(path.parent.iterdir()) == files
    assert peak_kilobytes() - before < MEGABYTES * 1024


@pytest.mark.parametrize('case', PICKLES)
def test_hostile_pickle_is_refused(case, tmp_path):
    (tmp_path / 'x.pth').write_bytes(PICKLES[case])
    assert_refused(tmp_path / 'x.pth')


@pytest.mark.parametrize('case', UNUSED)
def test_what_torch_does_not_unpack_does_no_harm(case, tmp_path):
    (tmp_path / 'x.pth').write_bytes(ARCHIVES[case])
    for read in (read_checkpoint, inspect_checkpoint):
        content = read('x.pth')
        assert content == {'meta': {}, 'state_dict': content['state_dict']}
        assert content['state_dict']['weight'].tolist() == [0.0] * 4
    assert [path.name for path in tmp_path.iterdir()] == ['x.pth']


@pytest.mark.parametrize('case', [case for case in ARCHIVES if case not in UNUSED])
def test_hostile_or_broken_archive_is_refused(case, tmp_path):
    (tmp_path / 'x.pth').write_bytes(ARCHIVES[case])
    assert_refused(tmp_path / 'x.pth')


@pytest.mark.parametrize('case', SAFETENSORS)
def test_hostile_or_broken_safetensors_are_refused(case, tmp_path):
    (tmp_path / 'x.safetensors').write_bytes(SAFETENSORS[case])
    assert_refused(tmp_path / 'x.safetensors')


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / 'folder.pth').mkdir()
    (tmp_path / 'empty.pth').touch()
    for name in ('folder.pth', 'empty.pth', 'missing.pth', 'missing.safetensors'):
        assert_refused(tmp_path / name)


RUNNABLE = {
    **{f'call: {case}': checkpoint(more=code) for case, code in hostile_pickles.calls().items()},
    **{f'opcode: {case}': pickled for case, pickled in hostile_pickles.opcodes().items()},
    **{f'place: {case}': pickled for case, pickled in hostile_pickles.places().items()},
}


@pytest.mark.parametrize('case', RUNNABLE)
def test_the_same_pickle_runs_where_it_is_trusted(case, tmp_path):
    """Else the tests above would show nothing."""
    (tmp_path / 'x.pth').write_bytes(archive(RUNNABLE[case]))
    with suppress(Exception):  # what comes after the call need not make sense
        torch.load('x.pth', weights_only=False)
    assert ran(tmp_path)


def test_what_mmengine_allows_runs_code_and_is_refused_here(tmp_path):
    """HistoryBuffer and getattr are on its list for ``weights_only=True``."""
    gadget = archive(hostile_pickles.gadgets()['HistoryBuffer and getattr'])
    (tmp_path / 'x.pth').write_bytes(gadget)
    allowed = get_torch_safe_globals()
    with torch.serialization.safe_globals(allowed):
        assert_refused(tmp_path / 'x.pth')
        assert set(torch.serialization.get_safe_globals()) >= set(allowed)
        assert not ran(tmp_path)
        torch.load('x.pth', weights_only=True)
    assert ran(tmp_path)
