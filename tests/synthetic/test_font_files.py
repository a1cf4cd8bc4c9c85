import shutil

import numpy as np
import pytest
from users_files import FONTS

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.glyphs import load_glyphs
from mmdet_digits.synthetic.user_files import read_font_faces


def folder_with(path, *names):
    for name in names:
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FONTS / target.name, target)
    return path


def test_fonts_are_found_in_folders_within(tmp_path):
    folder = folder_with(tmp_path, 'DejaVuSans.ttf', 'serif/cmr10.ttf')
    faces, notes = read_font_faces(folder)
    assert list(faces) == ['DejaVuSans.ttf', 'serif/cmr10.ttf'] and notes == []
    for mine, builtin in zip(
        faces['serif/cmr10.ttf'], load_glyphs().truetype['cmr10'], strict=True
    ):
        assert np.array_equal(mine, builtin)


def test_fonts_that_are_no_use_are_left_out_and_told(tmp_path):
    folder = folder_with(tmp_path, 'DejaVuSans.ttf', 'cmmi10.ttf', 'cmex10.ttf')
    (folder / 'broken.otf').write_bytes(b'no font')
    (folder / 'readme.txt').write_text('no font either')
    faces, (note,) = read_font_faces(folder)
    assert list(faces) == ['DejaVuSans.ttf']
    assert '3 of the fonts are left out' in note
    assert 'cmmi10.ttf (no lining digits)' in note  # old-style ones
    assert 'broken.otf (not readable' in note and 'cmex10.ttf (' in note


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda path: path / 'absent', 'absent is no folder'),
        (lambda path: path, 'found:    no font file'),
        (lambda path: folder_with(path, 'cmmi10.ttf'), r'cmmi10.ttf \(no lining digits\)'),
    ],
)
def test_no_font_at_all_is_an_error(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        read_font_faces(make(tmp_path))
