import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet_digits.cli import config_parser
from mmdet_digits.launching import load_config
from mmdet_digits.visualization.digit_pictures import TRUE

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_data.py'
FEW = ('--train', '3', '--valid', '1', '--test', '0', '--workers', '1')


@pytest.fixture
def run(run_tool, monkeypatch):
    monkeypatch.setenv('COLUMNS', '120')
    return lambda *args, cwd: run_tool('prepare_data.py', *args, cwd=cwd)


def make_real(folder, splits=('train', 'valid', 'test'), count=1):
    """A folder as HW2's, with two boxes per image; test has no labels."""
    for split in splits:
        (folder / split).mkdir(parents=True)
        for index in range(1, count + 1):
            (folder / split / f'{index}.png').write_text('png')
        if split != 'test':
            ids = range(1, count + 1)
            size = {'width': 9, 'height': 9}
            images = [{'id': i, 'file_name': f'{i}.png', **size} for i in ids]
            box = {'category_id': 1, 'bbox': [1, 1, 2, 3]}
            boxes = [{'id': 2 * i + j, 'image_id': i, **box} for i in ids for j in (0, 1)]
            categories = [{'id': 1, 'name': '0'}]
            coco = {'images': images, 'annotations': boxes, 'categories': categories}
            (folder / f'{split}.json').write_text(json.dumps(coco))
    return folder


def test_synthetic_from_any_folder_twice(run, tmp_path):
    first = run('synthetic', *FEW, '--contact-sheet', 'sheet.png', '--boxes', cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert 'numbers by length' in first.stdout
    assert 'Next: python tools/train.py configs/digits/frcnn_tiny.py' in first.stdout
    assert sorted(p.name for p in (tmp_path / 'data/digits/train').iterdir()) == [
        '1.png',
        '2.png',
        '3.png',
    ]
    assert json.loads((tmp_path / 'data/digits/test.json').read_text())['images'] == []
    sheet = cv2.imread(str(tmp_path / 'sheet.png'))[..., ::-1]
    assert sheet.shape[1] > 3 * 140  # three images in a row, with the boxes of their digits
    assert (sheet == TRUE).all(axis=2).sum() > 300
    second = run('synthetic', *FEW, cwd=tmp_path)
    assert second.returncode == 0
    assert 'already there' in second.stdout
    other = run('synthetic', *FEW, '--seed', '1', cwd=tmp_path)
    assert other.returncode == 1
    assert other.stderr.startswith('error: ')
    assert 'nothing was changed' in other.stderr and 'add --overwrite' in other.stderr


@pytest.mark.skipif(os.name != 'posix', reason='sends a signal to a process group')
def test_ctrl_c_leaves_nothing_that_looks_complete(tmp_path):
    command = [sys.executable, str(TOOL), 'synthetic', '--out', 'out', '--train', '50000']
    process = subprocess.Popen(
        [*command, '--workers', '2'],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as in a terminal: the signal goes to the workers as well
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / 'out/train/5.png').exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.strip().startswith('Interrupted') and 'Traceback' not in stderr
    assert json.loads((tmp_path / 'out/synthetic.json').read_text())['complete'] is False
    assert not (tmp_path / 'out/train.json').exists()


@pytest.fixture
def drawing(tmp_path):
    """A long drawing with two workers: its process and theirs."""
    command = [sys.executable, str(TOOL), 'synthetic', '--out', 'out', '--train', '50000']
    process = subprocess.Popen(
        [*command, '--workers', '2'],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: (tmp_path / 'out/train/5.png').exists())
    workers = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    yield process, [int(pid) for pid in workers]
    for pid in (process.pid, *map(int, workers)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def wait_until(reached, seconds=30):
    deadline = time.monotonic() + seconds
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert reached()


def ended(pid):
    """Whether a process is gone, or only waits to be collected."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] in 'ZX'
    except OSError:
        return True


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
@pytest.mark.parametrize('signal_', [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(drawing, tmp_path, signal_):
    process, workers = drawing
    assert len(workers) == 2
    process.send_signal(signal_)
    assert process.wait(timeout=30) == -signal_
    wait_until(lambda: all(map(ended, workers)))
    assert json.loads((tmp_path / 'out/synthetic.json').read_text())['complete'] is False


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_a_killed_worker_ends_the_command_with_one_message(drawing, tmp_path):
    process, workers = drawing
    os.kill(workers[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert stderr.startswith('error: A worker that draws images has ended')
    assert 'the same command again' in stderr and 'Traceback' not in stderr
    wait_until(lambda: all(map(ended, workers)))
    assert json.loads((tmp_path / 'out/synthetic.json').read_text())['complete'] is False


@pytest.mark.parametrize(
    ('args', 'message', 'expected'),
    [
        (('--train', '-1'), '--train -1: not possible', 1),
        (('--seed', '-3'), '--seed -3: not possible', 1),
        (('--workers', '0'), '--workers 0: not possible', 1),
        (('--train', 'many'), "invalid int value: 'many'", 2),
        (('--glyphs', 'absent.npz'), 'absent.npz: no such file', 1),
        (('--fonts', 'absent'), 'absent is no folder', 1),
        (('--box-style', 'absent.json'), 'absent.json: no such file', 1),
        (('--without', 'strokes', 'fonts', '--without', 'handwriting'), 'no digits', 1),
        (('--only', 'blur'), 'no digits', 1),
        (('--without', 'bluur'), "invalid choice: 'bluur'", 2),
        (('--without', 'blur', '--only', 'fonts'), 'not allowed with argument', 2),
    ],
)
def test_bad_arguments_write_nothing(run, tmp_path, args, message, expected):
    done = run('synthetic', *args, cwd=tmp_path)
    assert done.returncode == expected
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_users_files_and_ingredients_reach_the_scenes(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('photos').mkdir()
    cv2.imwrite('photos/wall.png', np.full((60, 90, 3), (10, 10, 200), np.uint8))
    boxes = make_real(tmp_path / 'hw2', splits=('train',))
    coco = json.loads((boxes / 'train.json').read_text())
    coco['images'][0] |= {'width': 120, 'height': 60}
    for box, x in zip(coco['annotations'], (30, 52), strict=True):
        box['bbox'] = [x, 10, 20, 40]
    coco['categories'] = [{'id': d + 1, 'name': str(d)} for d in range(10)]
    tiny = {'id': 9, 'image_id': 9, 'category_id': 1, 'bbox': [1, 1, 2, 3]}
    coco['annotations'].append(tiny)
    coco['images'].append({'id': 9, 'file_name': '9.png', 'width': 9, 'height': 9})
    Path('layouts.json').write_text(json.dumps(coco))
    options = ('--backgrounds', 'photos', '--layouts', 'layouts.json')
    only = ('--only', 'fonts', 'layouts', '--only', 'blur')
    done = run('synthetic', *FEW, '--out', 'out', *options, *only, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'layouts.json: 1 of 2 numbers are left out' in done.stdout
    assert len(json.loads(Path('out/train.json').read_text())['annotations']) == 3 * 2
    image = cv2.imread('out/train/1.png')[0].mean(0)
    assert image[2] > 1.5 * image[0]
    source = json.loads(Path('out/synthetic.json').read_text())['spec']['source']
    assert set(source) == {'backgrounds', 'layouts', 'without'}
    assert {'strokes', 'handwriting', 'jpeg'} < set(source['without'])


def test_drawing_needs_no_torch(tmp_path):
    code = (
        'import sys; import mmdet_digits.synthetic as s; '
        'print(sorted({"torch", "mmdet", "mmcv", "mmengine"} & set(sys.modules)))'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.stdout.strip() == '[]', result.stderr


def test_link_from_the_command_line(run, tmp_path):
    make_real(tmp_path / 'hw2')
    result = run('link', 'hw2', '--out', 'data/digits', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'test  │ 1      │ no labels' in result.stdout
    assert (tmp_path / 'data/digits/train/1.png').read_text() == 'png'
    assert (tmp_path / 'data/digits/valid.json').is_symlink()
    refused = run('synthetic', *FEW, '--overwrite', cwd=tmp_path)
    assert refused.returncode == 1
    assert (tmp_path / 'hw2/train/1.png').read_text() == 'png'


def test_a_test_json_of_images_only_is_there_but_without_labels(run, tmp_path):
    make_real(tmp_path / 'hw2')
    image = {'id': 1, 'file_name': '1.png', 'width': 9, 'height': 9}
    (tmp_path / 'hw2/test.json').write_text(json.dumps({'images': [image]}))
    result = run('link', 'hw2', '--out', 'out', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'There are no test labels; ' in result.stdout
    assert 'no test.json' not in result.stdout
    assert '--submission submission.zip' in result.stdout


def test_link_splits_and_says_what_stands(run, tmp_path):
    make_real(tmp_path / 'hw2', splits=('train',), count=20)
    (tmp_path / 'hw2/train/extra.png').write_text('png')
    (tmp_path / 'hw2/train/digitStruct.mat').write_text('no image')
    refused = run('link', 'hw2', '--out', 'out', cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.startswith('error: ') and 'add --valid 0.1' in refused.stderr
    result = run('link', 'hw2', '--out', 'out', '--valid', '0.25', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'valid │ 5      │ 10' in result.stdout
    assert 'does not list them: 1 of' in result.stdout and 'extra.png' in result.stdout
    assert 'There are no test labels' in result.stdout
    assert 'Next: python tools/train.py configs/digits/frcnn_tiny.py --data-root out' in (
        result.stdout
    )


def test_the_command_for_a_set_without_test_is_accepted(run, tmp_path, monkeypatch):
    make_real(tmp_path / 'hw2', splits=('train', 'valid'))
    done = run('link', tmp_path / 'hw2', '--out', tmp_path / 'out', cwd=tmp_path)
    text = done.stdout.partition('There are no test labels')[2].partition('\nNext')[0]
    config, _, root, options = re.match(
        r'.*?tools/test\.py (\S+) (\S+) --data-root (\S+) --cfg-options (.*)',
        text.replace('\\\n', ' '),
        re.DOTALL,
    ).groups()
    parser = config_parser('test')
    monkeypatch.setenv('DIGITS_DATA_ROOT', '')
    args = parser.parse_args([config, '--data-root', root, '--cfg-options', *options.split()])
    cfg = load_config(args, splits=('test',))
    assert cfg.test_evaluator[0].ann_file == str(tmp_path / 'out/valid.json')
