"""The converters as they are called."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data'


@pytest.fixture
def run(run_tool, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    return lambda tool, *args, cwd: run_tool(f'dataset_converters/{tool}', *args, cwd=cwd)


@pytest.fixture
def svhn(tmp_path):
    """Twenty images of 100 x 50 that read 07, beside their digitStruct.mat."""
    folder = tmp_path / 'train'
    folder.mkdir()
    rows = np.array([[20, 1, 11, 8, 10], [20, 95, 11, 8, 7]])  # the second crosses the edge
    for number in range(1, 21):
        Image.new('RGB', (100, 50)).save(folder / f'{number}.png')
    scipy.io.savemat(folder / 'digitStruct.mat', {f'{n}.png': rows for n in range(1, 21)})
    return folder


def test_svhn_with_its_images(run, svhn, tmp_path):
    result = run('svhn2coco.py', 'train/digitStruct.mat', '-o', 'train.json', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    coco = json.loads((tmp_path / 'train.json').read_text())
    assert [a['bbox'] for a in coco['annotations'][:2]] == [[0, 10, 8, 20], [94, 10, 6, 20]]
    assert [a['category_id'] for a in coco['annotations'][:2]] == [1, 8]
    assert coco['images'][19] == {'id': 20, 'file_name': '20.png', 'width': 100, 'height': 50}
    for text in (
        'digit 0 │ 20',
        'images with 2 digits │ 20',
        'Coordinates were made 0-based',
        '20 boxes were cut',
        'Next: python tools/prepare_data.py link . --valid 0.1',
    ):
        assert text in ' '.join(result.stdout.split())
    again = run('svhn2coco.py', 'train/digitStruct.mat', '-o', 'train.json', cwd=tmp_path)
    assert again.returncode == 1
    assert again.stderr.startswith('error: train.json: already there; nothing was written.\n')
    assert 'add --overwrite' in again.stderr


def test_svhn_split_and_kept(run, svhn, tmp_path):
    options = ('--split', '0.25', '--seed', '5', '--keep-one-based', '--keep-outside')
    result = run('svhn2coco.py', svhn / 'digitStruct.mat', '-o', 'a/t.json', *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    train, valid = (json.loads((tmp_path / 'a' / n).read_text()) for n in ('t.json', 'valid.json'))
    ids = [{image['id'] for image in part['images']} for part in (train, valid)]
    assert (len(ids[0]), len(ids[1])) == (15, 5)
    assert ids[0] | ids[1] == set(range(1, 21))
    assert valid['annotations'][1]['bbox'] == [95, 11, 8, 20]
    assert 'kept: the first pixel is 1' in result.stdout


def test_wrong_input_writes_nothing(run, svhn, tmp_path):
    mat = svhn / 'digitStruct.mat'
    (svhn / '3.png').unlink()
    (svhn / 'other.png').write_bytes((svhn / '4.png').read_bytes())
    result = run('svhn2coco.py', mat, '-o', 'train.json', cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith('error: 1 of 20 records are wrong')
    assert 'record 3 (3.png): ' in result.stderr and 'Traceback' not in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ['train']
    left_out = run('svhn2coco.py', mat, '-o', 'train.json', '--skip-bad', cwd=tmp_path)
    assert left_out.returncode == 0
    assert 'Wrong records, left out: 1' in left_out.stdout
    assert 'not in the file: 1, the first is other.png' in left_out.stdout
    assert len(json.loads((tmp_path / 'train.json').read_text())['images']) == 19


def test_bad_options_are_told_at_once(run, svhn, tmp_path):
    mat = svhn / 'digitStruct.mat'
    for options, message in (
        (('--split', 'half'), 'half of 20 images: not an amount'),
        (('--valid-out', 'v.json'), '--valid-out v.json: there is nothing to write'),
        (('--split', '2', '--valid-out', 'train.json'), 'are both train.json'),
        (('--sizes', 'none.json'), 'none.json: no such file'),
    ):
        result = run('svhn2coco.py', mat, '-o', 'train.json', *options, cwd=tmp_path)
        assert (result.returncode, message in result.stderr) == (1, True), result.stderr
    assert not (tmp_path / 'train.json').exists()


def test_mchar(run, tmp_path):
    record = dict(height=[20], label=[0], left=[1], top=[11], width=[8])
    (tmp_path / 'mchar.json').write_text(json.dumps({'000000.png': record}))
    (tmp_path / 'sizes.json').write_text('{"000000.png": [100, 50]}')
    missing = run('mchar2coco.py', 'mchar.json', '-o', 'o.json', cwd=tmp_path)
    assert missing.returncode == 1 and 'give --images' in missing.stderr
    result = run(
        'mchar2coco.py', 'mchar.json', '--sizes', 'sizes.json', '-o', 'o.json', cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    box = json.loads((tmp_path / 'o.json').read_text())['annotations'][0]
    assert (box['bbox'], box['category_id'], box['image_id']) == ([0, 10, 8, 20], 1, 0)


def test_yolo(run, tmp_path):
    Image.new('RGB', (100, 50)).save(tmp_path / 'house.png')
    (tmp_path / 'house.txt').write_text('9 0.1 0.5 0.08 0.4\n')
    (tmp_path / 'data.yaml').write_text("names: ['1','2','3','4','5','6','7','8','9','10']\n")
    result = run('yolo2coco.py', '.', '.', '--names', 'data.yaml', '-o', 'o.json', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    box = json.loads((tmp_path / 'o.json').read_text())['annotations'][0]
    assert (box['bbox'], box['category_id']) == ([6, 15, 8, 20], 1)
    assert 'image ids count from 1' in result.stdout


@pytest.fixture
def yolo_set(tmp_path):
    """Two images of each split, in which class 9 is 1, 8 is 2 and so on; returns its folder."""

    def make(layout, splits=('train', 'val', 'test')):
        root = tmp_path / 'set'
        for split in splits:
            images, labels = (
                root / layout.format(split=split, kind=k) for k in ('images', 'labels')
            )
            images.mkdir(parents=True)
            labels.mkdir(parents=True)
            for number in (1, 2):
                pixels = np.random.default_rng([len(split), number]).integers(0, 255, (50, 100, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(images / f'{split}{number}.png')
                (labels / f'{split}{number}.txt').write_text('9 .3 .5 .1 .4\n8 .5 .5 .1 .4\n')
        (root / 'data.yaml').write_text(f'nc: 10\nnames: {[*"0987654321"]}\n')
        return root

    return make


def next_command(stdout):
    """The command that a converter printed, split as a shell does."""
    return shlex.split(stdout.rpartition('Next: python tools/')[2].strip())


@pytest.mark.parametrize('layout', ['{split}/{kind}', '{kind}/{split}'])
def test_a_yolo_data_set_with_all_its_splits(run, yolo_set, run_tool, tmp_path, layout):
    root = yolo_set(layout)
    result = run('yolo2coco.py', root, '-o', 'hw2', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f'valid: Classes from 0: 0, 9, 8, 7, 6, 5, 4, 3, 2, 1; by {root}/data' in result.stdout
    for split in ('train', 'valid', 'test'):
        coco = json.loads((tmp_path / 'hw2' / f'{split}.json').read_text())
        assert [box['category_id'] for box in coco['annotations']] == [2, 3, 2, 3]
        assert all((tmp_path / 'hw2' / split / im['file_name']).is_file() for im in coco['images'])
    command = next_command(result.stdout)
    assert command == ['check_data.py', '--data-root', 'hw2']
    checked = run_tool(*command, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    linked = run_tool('prepare_data.py', 'link', 'hw2', cwd=tmp_path)
    assert linked.returncode == 0, linked.stderr
    again = run('yolo2coco.py', root, '-o', 'hw2', cwd=tmp_path)
    assert again.returncode == 1 and 'add --overwrite' in again.stderr
    assert run('yolo2coco.py', root, '-o', 'hw2', '--overwrite', cwd=tmp_path).returncode == 0


def test_a_yolo_data_set_without_valid(run, yolo_set, run_tool, tmp_path):
    root = yolo_set('{split}/{kind}', ['train'])
    result = run('yolo2coco.py', root, '-o', 'my data', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    command = next_command(result.stdout)
    assert command[:3] == ['prepare_data.py', 'link', 'my data']
    command[command.index('0.1')] = '0.5'  # there are two images
    linked = run_tool(*command, cwd=tmp_path)
    assert linked.returncode == 0, linked.stderr
    assert (tmp_path / 'my data-split' / 'valid.json').is_file()


def test_a_yolo_data_set_refuses_what_is_for_one_split(run, yolo_set, tmp_path):
    root = yolo_set('{split}/{kind}', ['train'])
    result = run('yolo2coco.py', root, '-o', 'train.json', '--split', '1', cwd=tmp_path)
    assert result.returncode == 1
    assert 'found:    --out train.json, --split 1' in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ['set']


def test_two_outputs_of_one_name_have_a_column_each(run, svhn, tmp_path):
    options = ('-o', 'a/t.json', '--valid-out', 'b/t.json', '--split', '5')
    result = run('svhn2coco.py', svhn / 'digitStruct.mat', *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'a/t.json ┃ b/t.json' in result.stdout
    assert 'images │ 15 │ 5' in ' '.join(result.stdout.split())


@pytest.mark.parametrize('tool', ['yolo', 'voc'])
def test_classes_that_are_no_digits(run, tmp_path, tool):
    """Both formats: a 7 and a border in one image."""
    Image.new('RGB', (100, 50)).save(tmp_path / '1.png')
    if tool == 'yolo':
        (tmp_path / '1.txt').write_text('1 .3 .5 .1 .4\n2 .5 .5 .9 .9\n')
        (tmp_path / 'classes.txt').write_text('marinara sauce\n7\nborder\n')
        command = ('yolo2coco.py', '.', '.', '-o', 'o.json')
    else:
        box = '<bndbox><xmin>1</xmin><ymin>6</ymin><xmax>18</xmax><ymax>25</ymax></bndbox>'
        objects = ''.join(f'<object><name>{n}</name>{box}</object>' for n in ('7', 'border'))
        text = f'<annotation><filename>1.png</filename>{objects}</annotation>'
        (tmp_path / '1.xml').write_text(text)
        command = ('voc2coco.py', '.', '--images', '.', '-o', 'o.json')
    for options in ((), ('--skip-bad',)):
        refused = run(*command, *options, cwd=tmp_path)
        assert refused.returncode == 1
        assert "'border' (1)" in refused.stderr
        assert 'add --ignore-classes border' in refused.stderr
    result = run(*command, '--ignore-classes', 'border,dot', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    boxes = json.loads((tmp_path / 'o.json').read_text())['annotations']
    assert [box['category_id'] for box in boxes] == [8]
    assert 'Boxes left out, of classes that are no digits: border (1).' in result.stdout
    assert '--ignore-classes: no box is named dot.' in result.stdout
    if tool == 'yolo':
        assert 'no digits and have no boxes: marinara sauce.' in result.stdout


def test_hostile_names_are_bad_records(run, tmp_path):
    record = dict(height=[20], label=[0], left=[1], top=[11], width=[8])
    names = ['../x.png', '1\0.png', 'n' * 300 + '.png', '\ud800.png', '2.png', '3.png']
    (tmp_path / 'mchar.json').write_text(json.dumps(dict.fromkeys(names, record)))
    Image.new('RGB', (100, 50)).save(tmp_path / '2.png')
    (tmp_path / '3.png').write_bytes((tmp_path / '2.png').read_bytes()[:40])
    (tmp_path / '3.png').rename(tmp_path / os.fsdecode(b'\xff.png'))
    options = ('--images', '.', '-o', 'o.json')
    refused = run('mchar2coco.py', 'mchar.json', *options, cwd=tmp_path)
    assert refused.returncode == 1 and 'Traceback' not in refused.stderr
    assert refused.stderr.startswith('error: 5 of 6 records are wrong')
    result = run('mchar2coco.py', 'mchar.json', *options, '--skip-bad', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert r"m.json, '\ud800.png': the file name" in result.stdout.replace('mchar', 'm')
    images = json.loads((tmp_path / 'o.json').read_text())['images']
    assert [image['file_name'] for image in images] == ['2.png']


def test_a_bad_record_whose_file_name_is_no_utf_8(run, tmp_path):
    for name in (b'1.xml', b'\xff.xml'):
        size = '' if name[:1] == b'\xff' else '<size><width>9</width><height>9</height></size>'
        text = f'<annotation><filename>1.png</filename>{size}</annotation>'
        (tmp_path / os.fsdecode(name)).write_text(text)
    result = run('voc2coco.py', '.', '-o', 'o.json', '--skip-bad', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert r'\udcff.xml' in result.stdout


def test_an_output_name_that_is_too_long(run, svhn, tmp_path):
    result = run('svhn2coco.py', svhn / 'digitStruct.mat', '-o', 'x' * 300, cwd=tmp_path)
    assert result.returncode == 1
    assert 'the system refuses it.\n  found:    File name too long' in result.stderr


def test_voc(run, tmp_path):
    (tmp_path / '5.xml').write_text(
        '<annotation><filename>5.png</filename><size><width>100</width><height>50</height></size>'
        '<object><name>0</name><bndbox><xmin>11</xmin><ymin>6</ymin><xmax>18</xmax><ymax>25</ymax>'
        '</bndbox></object></annotation>'
    )
    for options, expected in (
        ((), [10, 5, 8, 20]),
        (('--keep-one-based', '--exclusive-end'), [11, 6, 7, 19]),
    ):
        result = run('voc2coco.py', '.', '-o', 'o.json', '--overwrite', *options, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        box = json.loads((tmp_path / 'o.json').read_text())['annotations'][0]
        assert (box['bbox'], box['category_id'], box['image_id']) == (expected, 1, 5)


def test_no_torch_is_loaded():
    code = (
        'import sys, mmdet_digits.converters.command_line; '
        'import mmdet_digits.converters.svhn; '
        'print(sorted({"torch", "mmdet", "mmcv"} & set(sys.modules)))'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.stdout.strip() == '[]', result.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason='needs the SVHN images, which are not distributed')
def test_sizes_of_real_images(run, tmp_path):
    """621 images opened one by one have the sizes that the list of all images says."""
    subset = json.loads((SHARED / 'svhn-subset/train.json').read_text())
    names = [image['file_name'] for image in subset['images']]
    rows = scipy.io.loadmat(SHARED / 'svhn-digitstruct/digitStruct.mat', variable_names=names)
    scipy.io.savemat(tmp_path / 'digitStruct.mat', {name: rows[name] for name in names})
    options = ('--images', SHARED / 'svhn-subset/train', '--keep-one-based', '--keep-outside')
    result = run('svhn2coco.py', 'digitStruct.mat', *options, '-o', 'o.json', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    coco = json.loads((tmp_path / 'o.json').read_text())
    assert coco['images'] == subset['images']
    assert [a['bbox'] for a in coco['annotations']] == [a['bbox'] for a in subset['annotations']]
