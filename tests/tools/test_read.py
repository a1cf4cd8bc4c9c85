"""Many images from the command line: what is printed, written, and gone on with."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from mmdet_digits.repository import REPOSITORY

WEIGHTS = ('--weights', 'synthetic', '--threads', '1')


@pytest.fixture
def photos(digits_root, tmp_path):
    """Six images, one of them broken, two in a subfolder, one with a name like a formula."""
    folder = tmp_path / 'photos'
    (folder / 'more').mkdir(parents=True)
    images = sorted((digits_root / 'test').iterdir())[:5]
    names = '=1+1.png', 'b.png', 'c.png', 'more/d.png', 'more/e.png'
    for image, name in zip(images, names, strict=True):
        shutil.copy(image, folder / name)
    (folder / 'broken.png').write_bytes(images[0].read_bytes()[:99])
    return folder


def rows(path):
    return list(csv.DictReader(path.open()))


def test_numbers_are_printed(run_tool, photos, tmp_path):
    done = run_tool('read.py', 'photos', *WEIGHTS, cwd=tmp_path)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith('photos/=1+1.png,')
    name, number, confidence = lines[1].split(',')
    assert name == 'photos/b.png' and number.isdigit() and 0 < float(confidence) <= 1
    assert '1 files could not be read:\n  photos/broken.png: ' in done.stderr
    assert list(tmp_path.iterdir()) == [photos]


def test_files_are_written_as_predict_writes_them(run_tool, digits_root, tmp_path):
    done = run_tool('read.py', digits_root / 'test', *WEIGHTS, '--out', 'read', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '16 images in' in done.stdout and 'images/s' in done.stdout
    name = 'frcnn_tiny_synthetic_256'
    model = f'configs/digits/{name}.py', REPOSITORY / f'models/{name}.safetensors'
    done = run_tool('predict.py', *model, digits_root / 'test', '--out', 'predicted', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ours, theirs = (rows(tmp_path / folder / 'numbers.csv') for folder in ('read', 'predicted'))
    for key in ('image_id', 'file_name', 'number'):
        assert [row[key] for row in ours] == [row[key] for row in theirs]
    assert (tmp_path / 'read/pred.csv').read_bytes() == (
        tmp_path / 'predicted/pred.csv'
    ).read_bytes()


def test_new_images_are_read_and_old_ones_are_not(run_tool, photos, tmp_path):
    run_tool('read.py', 'photos', *WEIGHTS, '--out', 'out', '--draw', cwd=tmp_path)
    log = tmp_path / 'out' / 'numbers.jsonl'
    before = log.read_bytes()
    shutil.copy(photos / 'b.png', photos / 'broken.png')  # it is whole now
    shutil.copy(photos / 'b.png', photos / 'new.png')
    done = run_tool('read.py', 'photos', *WEIGHTS, '--out', 'out', '--draw', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '5 of 7 images have been read before' in done.stdout
    assert log.read_bytes().startswith(before) and log.read_bytes().count(b'\n') == 8
    table = rows(tmp_path / 'out' / 'numbers.csv')
    assert [row['file_name'] for row in table][1:4] == [
        f'photos/{name}.png' for name in ('b', 'broken', 'c')
    ]
    assert table[1]['number'] == table[2]['number'] != '-1'
    pictures = sorted(path.name for path in (tmp_path / 'out' / 'pictures').rglob('*.png'))
    assert pictures == ['=1+1.png', 'b.png', 'broken.png', 'c.png', 'd.png', 'e.png', 'new.png']


def test_other_settings_need_another_folder(run_tool, photos, tmp_path):
    run_tool('read.py', 'photos', *WEIGHTS, '--out', 'out', cwd=tmp_path)
    done = run_tool('read.py', 'photos', *WEIGHTS, '--out', 'out', '--all', cwd=tmp_path)
    assert done.returncode == 1
    assert 'out: holds what was read with other settings' in done.stderr
    again = (*WEIGHTS, '--out', 'out', '--all', '--overwrite')
    done = run_tool('read.py', 'photos', *again, cwd=tmp_path)
    assert done.returncode == 3 and 'before' not in done.stdout
    assert not (tmp_path / 'out' / 'pred.csv').exists()


def test_a_checkpoint_reads_what_its_export_reads(run_tool, photos, tmp_path):
    name = REPOSITORY / 'models/frcnn_tiny_synthetic_256.safetensors'
    config = REPOSITORY / 'configs/digits/frcnn_tiny_synthetic_256.py'
    arguments = ('photos', '--weights', name, '--config', config)
    done = run_tool('read.py', *arguments, cwd=tmp_path)
    expected = run_tool('read.py', 'photos', *WEIGHTS, cwd=tmp_path)
    assert done.returncode == expected.returncode == 3
    ours, theirs = (
        [line.split(',')[:2] for line in run.stdout.splitlines() if line.startswith('photos')]
        for run in (done, expected)
    )
    assert ours == theirs and len(ours) == 5


def test_a_list_of_images_on_stdin(photos, tmp_path):
    done = subprocess.run(
        [sys.executable, REPOSITORY / 'tools/read.py', '-', *WEIGHTS],
        input=f'{photos}/b.png\n{photos}/more\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(',')[0][-5:] for line in done.stdout.splitlines()] == [
        'b.png',
        'd.png',
        'e.png',
    ]


def test_an_input_is_never_replaced(run_tool, photos, tmp_path):
    (tmp_path / 'out' / 'pictures').mkdir(parents=True)
    shutil.copy(photos / 'b.png', tmp_path / 'out' / 'pictures' / 'b.png')
    done = run_tool('read.py', 'out/pictures', *WEIGHTS, '--out', 'out', '--draw', cwd=tmp_path)
    assert done.returncode == 1
    assert 'this image lies where an output goes' in done.stderr


def test_a_killed_job_goes_on_where_it_was(tmp_path):
    """Killed while it reads, then started again: each image is read once and has one row."""
    folder, rng = tmp_path / 'many', np.random.default_rng(0)
    folder.mkdir()
    for number in range(1, 201):
        cv2.imwrite(str(folder / f'{number}.png'), rng.integers(0, 256, (40, 80, 3), np.uint8))
    command = [sys.executable, REPOSITORY / 'tools/read.py', folder, *WEIGHTS, '--out', 'out']
    command += ['--batch-size', '4']
    log = tmp_path / 'out' / 'numbers.jsonl'
    job = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (log.is_file() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    before = log.read_bytes()
    assert 0 < before.count(b'\n') < 200
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'of 200 images have been read before' in done.stdout
    assert log.read_bytes().startswith(before[: before.rfind(b'\n') + 1])
    assert log.read_bytes().count(b'\n') == 200
    assert [row['image_id'] for row in rows(tmp_path / 'out' / 'numbers.csv')] == [
        str(number) for number in range(1, 201)
    ]
