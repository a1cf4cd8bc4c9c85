import csv
import gzip
import io
import json
import os

import pytest

from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import (
    check_folder,
    check_outputs,
    check_writable,
    csv_text,
    natural_key,
    read_file,
    read_json,
    write_file,
)

AS_ROOT = hasattr(os, 'geteuid') and os.geteuid() == 0


def test_existing_outputs_are_refused_unless_asked_for(tmp_path):
    there, new = tmp_path / 'there.csv', tmp_path / 'deep' / 'new.csv'
    there.write_text('old')
    with pytest.raises(InputError, match=r'there\.csv: already there; nothing was written'):
        check_outputs([new, there], overwrite=False)
    check_outputs([new], overwrite=False)
    check_outputs([new, there], overwrite=True)


def test_folders_are_outputs_of_their_own_kind(tmp_path):
    with pytest.raises(InputError, match='cannot be written'):
        check_outputs([tmp_path], overwrite=True)
    with pytest.raises(InputError, match='already there'):
        check_outputs([], overwrite=False, folders=[tmp_path])
    check_outputs([], overwrite=True, folders=[tmp_path])


def test_a_link_to_nothing_counts_as_there(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'nothing')
    with pytest.raises(InputError, match='a link to nothing'):
        check_outputs([tmp_path / 'link'], overwrite=False)


def test_nothing_can_be_written_below_a_file(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=r'found: .*file is a file'):
        check_outputs([tmp_path / 'file' / 'deep' / 'new.csv'], overwrite=False)
    with pytest.raises(InputError, match='nothing can be written there'):
        check_writable(tmp_path / 'file')
    check_writable(tmp_path / 'new' / 'folder')


@pytest.mark.skipif(AS_ROOT, reason='root may read and write everything')
def test_missing_rights_are_told(tmp_path):
    (tmp_path / 'closed').mkdir(mode=0o500)
    with pytest.raises(InputError, match='may not be written to'):
        check_writable(tmp_path / 'closed' / 'new')
    (tmp_path / 'secret.json').touch(mode=0o200)
    with pytest.raises(InputError, match=r'secret\.json: cannot be read(?s:.*)Permission denied'):
        read_json(tmp_path / 'secret.json', 'JSON')


def test_files_are_written_whole_into_new_folders(tmp_path):
    path = tmp_path / 'deep' / 'new.csv'
    for content in ('text\n', b'bytes'):
        write_file(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else b'text\n')
    assert [entry.name for entry in path.parent.iterdir()] == ['new.csv']


@pytest.mark.parametrize('suffix', ['json', 'json.gz'])
def test_json_is_read_plain_and_gzipped_whatever_its_name(tmp_path, suffix):
    path, content = tmp_path / f'a.{suffix}', {'a': [1, None, 'ä']}
    for data in (json.dumps(content).encode(), gzip.compress(json.dumps(content).encode())):
        path.write_bytes(data)
        assert read_json(path, 'JSON') == content


@pytest.mark.parametrize(
    ('data', 'found'),
    [
        (b'', r'line 1, column 1, where the file ends \(0 bytes\): it was cut off'),
        (b'{"a": [1,\n', r'line 2, column 1, where the file ends'),
        (b'{"a": 1,}', r'line 1, column 9'),
        (b'["\xff"]', "can't decode byte 0xff"),
        (gzip.compress(b'[1]')[:-4], 'end-of-stream'),
        (b'[' * 100_000, 'too deep to read'),
        (b'[' + b'9' * 5000 + b']', '5000 digits'),
        (b'[{"a": 1, "b": 2, "a": 3}]', 'an object with the key "a" twice'),
    ],
)
def test_what_is_no_json_is_told(tmp_path, data, found):
    path = tmp_path / 'a.json'
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf'a\.json: not valid JSON\.\n  found: .*{found}'):
        read_json(path, 'a list')


def test_missing_files_and_folders_are_told(tmp_path):
    with pytest.raises(InputError, match=r'no such file\.\n  found:    nothing\n  expected: it'):
        read_file(tmp_path / 'none', 'it')
    with pytest.raises(InputError, match='found:    a folder'):
        read_file(tmp_path, 'it')
    with pytest.raises(InputError, match=r'is no folder\.\n  found:    nothing'):
        check_folder(tmp_path / 'none', 'it')
    check_folder(tmp_path, 'it')


@pytest.mark.parametrize('text', ['=1+1', '+a', '-a', '@a', '\tx', '\rx'])
def test_csv_has_no_formula(text):
    rows = list(csv.reader(io.StringIO(csv_text(['a', 'b'], [(text, -1)]), newline='')))
    assert rows == [['a', 'b'], [f"'{text}", '-1']]


@pytest.mark.parametrize('text', ['-1', '+2.5', 'a=b', '', 'a,"b\nc"', '<b>'])
def test_csv_keeps_other_texts(text):
    rows = list(csv.reader(io.StringIO(csv_text(['a', 'b'], [(text, 'z')]), newline='')))
    assert rows == [['a', 'b'], [text, 'z']]


def test_natural_key_never_compares_numbers_with_text():
    names = ['1\u06612.png', '1a2.png', '10.png', '2.png', '02.png', '\u00b2.png', '9' * 5000, 'a']
    expected = [
        '1a2.png',
        '1\u06612.png',
        '02.png',
        '2.png',
        '10.png',
        '9' * 5000,
        'a',
        '\u00b2.png',
    ]
    for order in (names, names[::-1]):
        assert sorted(order, key=natural_key) == expected
