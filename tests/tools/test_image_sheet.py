"""The tool that mixes images of several folders in one sheet, run as a user runs it."""

import re

import numpy as np
import pytest
from PIL import Image

RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Two folders of images of one colour each, and one with a file that is no image."""
    root = tmp_path_factory.mktemp('sheet')
    for name, color in (('reds', RED), ('blues', BLUE)):
        (root / name).mkdir()
        for n in range(6):
            Image.new('RGB', (40 + n, 20), color).save(root / name / f'{n}.png')
    (root / 'broken').mkdir()
    (root / 'broken' / '1.png').write_bytes(b'no image')
    return root


def test_the_sheet_mixes_the_folders_and_the_key_tells_them(run_tool, folders):
    arguments = ('reds', 'blues', '--images', '4', '--columns', '8')
    done = run_tool(
        'analysis_tools/image_sheet.py', *arguments, '--out', 'a/sheet.png', cwd=folders
    )
    assert done.returncode == 0, done.stderr
    key = {name: re.search(rf'{name} +│ ([\d ]+)│', done.stdout)[1] for name in ('reds', 'blues')}
    key = {name: {int(n) for n in numbers.split()} for name, numbers in key.items()}
    assert len(key['reds']) == len(key['blues']) == 4
    assert key['reds'] | key['blues'] == set(range(1, 9))
    sheet = np.asarray(Image.open(folders / 'a/sheet.png').convert('RGB'))
    columns = np.array_split(np.arange(sheet.shape[1]), 8)
    reds = {n for n, c in enumerate(columns, 1) if (sheet[:, c] == RED).all(axis=2).mean() > 0.3}
    assert reds == key['reds']
    again = run_tool('analysis_tools/image_sheet.py', 'reds', '--out', 'a/sheet.png', cwd=folders)
    assert again.returncode == 1 and 'already there' in again.stderr


def test_a_file_that_is_no_image_is_named(run_tool, folders):
    done = run_tool('analysis_tools/image_sheet.py', 'broken', '--out', 'b.png', cwd=folders)
    assert done.returncode == 1 and '1.png' in done.stderr and 'Traceback' not in done.stderr
    assert not (folders / 'b.png').exists()
