"""Where tools write: not over inputs, earlier outputs or one another; told before the work."""

import json

import cv2
import numpy as np
import pytest

from mmdet_digits.repository import REPOSITORY

TINY = 'configs/digits/frcnn_tiny.py'
WEIGHTS = REPOSITORY / 'models/frcnn_tiny_synthetic_256.safetensors'


@pytest.fixture
def used(tmp_path):
    """A folder with what earlier runs wrote."""
    (tmp_path / 'pictures').mkdir()
    for name in ('pred.pkl', 'new.assembly.json', 'out.zip', 'sheet.png', 'pictures/1.png'):
        (tmp_path / name).write_text('earlier')
    return tmp_path


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('--out', 'pred.pkl'), 'pred.pkl: already there; nothing was written.'),
        (('--out', 'new.pkl'), 'new.assembly.json: already there; nothing was written.'),
        (('--submission', 'out.zip'), 'out.zip: already there; nothing was written.'),
        (('--show-dir', '{used}/pictures'), 'pictures: already there; nothing was written.'),
        (('--out', 'pred.pkl/new.pkl'), 'nothing can be written there.'),
        (('--show-dir', '{used}/pred.pkl/new'), 'nothing can be written there.'),
        (('--submission', '/dev/null', '--overwrite'), '/dev/null: cannot be written.'),
        (('--show-dir', '{root}/test', '--overwrite'), 'an input would be replaced'),
    ],
)
def test_test_refuses_before_the_inference(run_tool, digits_root, used, arguments, said):
    before = contents(used)
    arguments = [text.format(used=used, root=digits_root) for text in arguments]
    done = run_tool('test.py', TINY, WEIGHTS, '--data-root', digits_root, *arguments, cwd=used)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ') and said in done.stderr
    assert 'Traceback' not in done.stderr and 'Epoch(test)' not in done.stdout
    assert contents(used) == before


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('--contact-sheet', 'sheet.png'), 'sheet.png: already there; nothing was written.'),
        (('--contact-sheet', '/dev/null', '--overwrite'), '/dev/null: cannot be written.'),
        (('--contact-sheet', 'pred.pkl/sheet.png'), 'nothing can be written there.'),
        (
            ('--contact-sheet', 'boxes.json', '--layouts', 'boxes.json', '--overwrite'),
            'an input would be replaced',
        ),
        (('--out', 'pred.pkl/data'), 'nothing can be written there.'),
    ],
)
def test_synthetic_refuses_before_it_draws(run_tool, used, arguments, said):
    (used / 'boxes.json').write_text('{}')
    before = contents(used)
    few = ('--train', '1', '--valid', '1', '--test', '0')
    done = run_tool('prepare_data.py', 'synthetic', '--out', 'data', *few, *arguments, cwd=used)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ') and said in done.stderr
    assert contents(used) == before


def test_link_below_a_file_is_refused(run_tool, digits_root, used):
    done = run_tool('prepare_data.py', 'link', digits_root, '--out', 'pred.pkl/data', cwd=used)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ') and 'nothing can be written there' in done.stderr


def test_an_input_of_a_tool_is_not_its_output(run_tool, tmp_path):
    for name in ('pred.json', 'ann.json'):
        (tmp_path / name).write_text('[]')
    arguments = ('pred.json', '--ann', 'ann.json', '--json', 'ann.json', '--overwrite')
    done = run_tool('evaluate.py', *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ann.json: an input would be replaced')
    assert (tmp_path / 'ann.json').read_text() == '[]'


def test_names_with_brackets_are_printed_as_they_are(run_tool, tmp_path):
    for name in ('plain[/b]', 'lk [v2]'):
        (tmp_path / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / name / '1.png'), np.zeros((20, 40, 3), np.uint8))
    folders = ('plain[/b]', 'lk [v2]')
    done = run_tool('analysis_tools/image_sheet.py', *folders, '--out', 's.png', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'plain[/b]' in done.stdout and 'lk [v2]' in done.stdout
    few = ('--train', '1', '--valid', '0', '--test', '0', '--workers', '1')
    drawn = run_tool('prepare_data.py', 'synthetic', '--out', 'lk [v2]/d', *few, cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert "--data-root 'lk [v2]/d'" in drawn.stdout
    assert len(json.loads((tmp_path / 'lk [v2]/d/train.json').read_text())['images']) == 1
