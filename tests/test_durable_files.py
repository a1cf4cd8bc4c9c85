import errno

import pytest

from mmdet_digits.durable_files import remove_parts, write_durably
from mmdet_digits.errors import RunError

pytest.importorskip('resource')
from small_files import small_files


def test_new_folder_new_file_and_another_content(tmp_path):
    path = tmp_path / 'new' / 'file'
    write_durably(path, b'old')
    write_durably(str(path), b'new')
    assert path.read_bytes() == b'new'
    assert list(path.parent.iterdir()) == [path]


def test_parts_are_written_as_they_come(tmp_path):
    path = tmp_path / 'file'
    write_durably(path, (bytes([65 + n]) * 2 for n in range(3)))
    assert path.read_bytes() == b'AABBCC'

    def broken():
        yield b'half'
        raise ValueError('no more')

    with pytest.raises(ValueError, match='no more'):
        write_durably(path, broken())
    assert path.read_bytes() == b'AABBCC' and list(tmp_path.iterdir()) == [path]
    with small_files(), pytest.raises(RunError, match='expected: more'):
        write_durably(path, (bytes(10_000) for _ in range(20)))
    assert path.read_bytes() == b'AABBCC' and list(tmp_path.iterdir()) == [path]


def test_no_space_keeps_the_old_file_and_says_what_is_needed(tmp_path):
    path = tmp_path / 'file'
    write_durably(path, b'old')
    with small_files(), pytest.raises(RunError) as error:
        write_durably(path, bytes(123_456))
    lines = str(error.value).splitlines()
    assert lines[0] == f'{path}: not written; {path} is as it was.'
    assert 'bytes are free there' in lines[1]
    assert lines[2] == '  expected: 123,456 bytes'
    assert lines[3].startswith('  fix: make room')
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]
    with small_files(), pytest.raises(RunError, match='files written before are whole'):
        write_durably(tmp_path / 'other', bytes(123_456))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('error', [OSError(errno.EIO, 'broken disk'), KeyboardInterrupt()])
def test_other_troubles_keep_the_old_file_too(tmp_path, monkeypatch, error):
    path = tmp_path / 'file'
    write_durably(path, b'old')

    def fail(descriptor):
        raise error

    monkeypatch.setattr('os.fsync', fail)
    with pytest.raises(type(error)):
        write_durably(path, b'new')
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_parts_of_killed_processes_are_removed(tmp_path):
    others = {'epoch_1.pth', 'mine.pth.part', '.pred.json.part', '.hidden.pth'}
    for name in ('.epoch_1.pth.part', *others):
        (tmp_path / name).touch()
    assert remove_parts(tmp_path, '*.pth') == [tmp_path / '.epoch_1.pth.part']
    assert {path.name for path in tmp_path.iterdir()} == others
    assert remove_parts(tmp_path / 'nowhere', '*') == []
