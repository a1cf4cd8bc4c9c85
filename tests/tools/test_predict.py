"""From image files to the two files of a submission, with a model that has learnt nothing."""

import csv
import json
import os
import zipfile

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from PIL import Image

from mmdet_digits.files import held_folder
from mmdet_digits.repository import REPOSITORY

TINY = 'configs/digits/frcnn_tiny.py'
PLACE = 'test_evaluator.1.assembly'
ASSEMBLY = {'score_thr': 0.1, 'max_digits': 3}  # scores of random weights are about 1/11


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A checkpoint of random weights."""
    cfg = Config.fromfile(REPOSITORY / TINY)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'random.pth'
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict(), 'meta': {}}, path)
    return path


def test_a_folder_that_another_run_holds_is_left_alone(run_tool, checkpoint, digits_root, tmp_path):
    with held_folder(tmp_path / 'out'):
        done = run_tool(
            *('predict.py', TINY, checkpoint, digits_root / 'test', '--out', 'out'), cwd=tmp_path
        )
        assert (done.returncode, done.stdout) == (1, '')
        assert done.stderr.startswith('error: out: another run is writing there.')
        assert [path.name for path in (tmp_path / 'out').iterdir()] == ['.lock']


def rows(path):
    return list(csv.reader(path.open()))


def test_files_and_submission_of_the_same_images_agree(run_tool, checkpoint, digits_root, tmp_path):
    options = ('--cfg-options', *(f'+{PLACE}.{key}={value}' for key, value in ASSEMBLY.items()))
    done = run_tool(
        *('predict.py', TINY, checkpoint, digits_root / 'test', '--out', 'out', *options),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert '16 images in' in done.stdout and 'images/s' in done.stdout
    assert f'max_digits=3 ({TINY})' in done.stdout  # the config's assembly, and which that is
    beside = json.loads((tmp_path / 'out' / 'pred.assembly.json').read_text())
    assert beside.items() >= ASSEMBLY.items() and beside['iou_thr'] == 0.3
    table = rows(tmp_path / 'out' / 'pred.csv')
    assert [row[0] for row in table[1:]] == [str(n) for n in range(1, 17)]
    assert any(label != '-1' for _, label in table[1:])
    records = json.loads((tmp_path / 'out' / 'pred.json').read_text())
    assert {record['category_id'] for record in records} <= set(range(1, 11))
    numbers = rows(tmp_path / 'out' / 'numbers.csv')
    assert numbers[0][:4] == ['image_id', 'file_name', 'number', 'confidence']
    assert [[row[0], row[2]] for row in numbers[1:]] == table[1:]

    arguments = ('--data-root', digits_root, '--submission', 'sub.zip', *options)
    tested = run_tool('test.py', TINY, checkpoint, *arguments, cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    with zipfile.ZipFile(tmp_path / 'sub.zip') as archive:
        assert sorted(archive.namelist()) == ['pred.csv', 'pred.json']
        assert archive.read('pred.csv').decode() == (tmp_path / 'out' / 'pred.csv').read_text()


@pytest.fixture
def photos(digits_root, tmp_path):
    """A folder of images, with nearly everything that a folder can hold beside them."""
    folder = tmp_path / 'photos'
    (folder / 'sub').mkdir(parents=True)
    one = Image.open(digits_root / 'test' / '1.png')
    one.save(folder / 'door.jpg')
    one.save(folder / 'sub' / 'door.png')
    one.resize((2400, 1000)).save(folder / 'wide.jpg')
    (folder / 'link.png').symlink_to('sub/door.png')
    one.save(os.fsencode(folder) + b'/caf\xe9.png', 'PNG')
    content = (digits_root / 'test' / '3.png').read_bytes()
    (folder / 'half.png').write_bytes(content[: len(content) // 2])
    (folder / '0.png').touch()
    (folder / 'loop.png').symlink_to('loop.png')
    (folder / 'zero.png').symlink_to('/dev/zero')
    os.mkfifo(folder / 'pipe.png')
    Image.new('1', (2000, 2000)).save(folder / 'many.png')
    Image.new('L', (1, 9000)).save(folder / 'thin.png')
    return folder


FAILURES = {  # by name, in the order of the names
    '0.png': '0 bytes',
    'caf\\udce9.png': 'its name is not UTF-8',
    'half.png': 'cannot be decoded',
    'link.png': 'cannot be drawn',
    'loop.png': 'Too many levels of symbolic links',
    'many.png': 'more than 3,000,000 pixels',
    'pipe.png': 'no regular file',
    'zero.png': 'no regular file',
}
READ = ('door.jpg', 'link.png', 'sub/door.png', 'thin.png', 'wide.jpg')


@pytest.mark.skipif(os.name != 'posix', reason='needs pipes, devices and names of any bytes')
def test_each_bad_file_is_a_line_and_the_others_are_read(run_process, checkpoint, photos, tmp_path):
    """In a process of its own: one that waits for a pipe has to be ended."""
    pictures = tmp_path / 'out' / 'pictures'
    pictures.mkdir(parents=True)
    for name in ('mine.png', 'door.png'):
        (pictures / name).write_bytes(b'of an earlier run, or of the user')
    (pictures / 'link.png').mkdir()
    arguments = (TINY, checkpoint, 'photos', '--out', 'out', '--assembly', 'system_a')
    options = ('--draw', '--overwrite', '--max-pixels', 3_000_000)
    done = run_process('predict.py', *arguments, *options, cwd=tmp_path, timeout=120)
    assert done.returncode == 3 and 'Traceback' not in done.stderr
    assert '5 images in' in done.stdout and 'assembly: system_a (--assembly' in done.stdout
    assert '2 of 12 images are over 8 times larger' in done.stderr and 'thin.png' in done.stderr
    listed = done.stderr.split('8 files could not be read or drawn:\n')[1].splitlines()
    for line, (name, why) in zip(listed, FAILURES.items(), strict=True):
        assert line.startswith(f'  photos/{name}: ') and why in line

    table = rows(tmp_path / 'out' / 'numbers.csv')[1:]
    assert [row[0] for row in table] == [str(n) for n in range(1, 13)]
    names = [row[1].removeprefix('photos/') for row in table]
    assert names == sorted({*FAILURES, *READ})
    assert all(row[2] == '-1' for row, name in zip(table, names, strict=True) if name not in READ)
    assert [row[0] for row in rows(tmp_path / 'out' / 'pred.csv')[1:]] == [row[0] for row in table]

    drawn = {str(path.relative_to(pictures)) for path in pictures.rglob('*') if path.is_file()}
    assert drawn == {'mine.png', 'door.png', 'sub/door.png', 'thin.png', 'wide.png'}
    assert (pictures / 'mine.png').read_bytes() == b'of an earlier run, or of the user'
    assert 'pictures from before: 1 other files' in done.stdout
    assert Image.open(pictures / 'door.png').width > 300


def test_images_are_not_replaced_by_pictures_of_them(run_tool, digits_root, tmp_path):
    pictures = tmp_path / 'out' / 'pictures'
    pictures.mkdir(parents=True)
    content = (digits_root / 'test' / '1.png').read_bytes()
    (pictures / '1.png').write_bytes(content)
    arguments = (TINY, 'weights.pth', 'out', '--out', 'out', '--draw', '--overwrite')
    done = run_tool('predict.py', *arguments, cwd=tmp_path)
    assert done.returncode == 1 and 'lies where an output goes' in done.stderr
    assert [path.name for path in tmp_path.rglob('*.*')] == ['1.png']
    assert (pictures / '1.png').read_bytes() == content
