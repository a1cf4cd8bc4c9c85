import pytest

from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import check_outputs, write_file


def test_existing_outputs_are_refused_unless_asked_for(tmp_path):
    there, new = tmp_path / 'there.csv', tmp_path / 'deep' / 'new.csv'
    there.write_text('old')
    with pytest.raises(InputError, match=r'there\.csv: already there; nothing was written'):
        check_outputs([new, there], overwrite=False)
    check_outputs([new], overwrite=False)
    check_outputs([new, there], overwrite=True)


def test_files_are_written_whole_into_new_folders(tmp_path):
    path = tmp_path / 'deep' / 'new.csv'
    for content in ('text\n', b'bytes'):
        write_file(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else b'text\n')
    assert [entry.name for entry in path.parent.iterdir()] == ['new.csv']
