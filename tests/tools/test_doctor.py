"""The doctor, run as a user runs it: on what is sound, and on what is missing or broken."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = 'configs/digits/frcnn_tiny.py'


@pytest.fixture
def examine(run_process, tmp_path):
    """Run the doctor with further arguments; returns its exit status, and its checks by name."""

    def run(*arguments):
        done = run_process('doctor.py', '--json', *arguments, cwd=tmp_path)
        checks = json.loads(done.stdout)['checks']  # nothing but JSON on stdout
        return done.returncode, {check['name']: check for check in checks}

    return run


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Put a module in front of the real one whose import does something else."""

    def put(name, line):
        (tmp_path / 'modules').mkdir()
        (tmp_path / 'modules' / f'{name}.py').write_text(line)
        monkeypatch.setenv('PYTHONPATH', str(tmp_path / 'modules'))

    return put


def of_status(checks, status):
    return [name for name, check in checks.items() if check['status'] == status]


def test_a_sound_setup_is_reported_whole(run_tool, digits_root, tmp_path):
    done = run_tool('doctor.py', CONFIG, '--data-root', digits_root, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith('0 fail, ')
    for said in (
        'Environment',
        'RoIAlign',
        'mAP 0.4 as expected',
        'Config',
        'boxes have an anchor with IoU >= 0.5',
        'Data',
        'went well (--json names them)',
    ):
        assert said in done.stdout
    assert 'mmdet ...' in done.stderr.splitlines()  # the progress
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind


@pytest.mark.parametrize(
    ('module', 'line', 'found'),
    [
        ('torch', 'raise ModuleNotFoundError("No module named \'torch\'")', 'No module named'),
        ('torch', 'import os, signal; os.kill(os.getpid(), signal.SIGSEGV)', 'SIGSEGV'),
        ('mmcv', 'print("hello"); raise OSError("libGL.so.1: cannot open")', 'OSError: libGL.so.1'),
        pytest.param(
            *('mmdet', 'raise RuntimeError("not this mmcv")', 'RuntimeError: not this mmcv'),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_broken_library_is_one_failure_and_the_rest_is_checked(
    examine, broken, digits_root, module, line, found
):
    broken(module, line)
    status, checks = examine(CONFIG, '--data-root', digits_root)
    assert status == 1
    (failure,) = of_status(checks, 'fail')
    assert failure.startswith(f'{module}')
    assert found in checks[failure]['found']
    assert 'pip install' in checks[failure]['fix']
    assert checks['RoIAlign']['found'].startswith('not checked: it needs ')
    assert checks['COCOeval']['status'] == 'ok'
    assert checks['train: structure']['status'] == 'ok'


def test_another_version_is_told_with_the_command_that_mends_it(examine, broken, tmp_path):
    broken('torch', 'raise RuntimeError("operator torchvision::nms does not exist")')
    info = tmp_path / 'modules' / 'torch-1.0.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: torch\nVersion: 1.0.0\n')
    status, checks = examine()
    assert status == 1
    assert checks['Packages differ from requirements.txt.']['found'] == 'torch 1.0.0'
    assert 'built for another torch' in checks['torch cannot be imported.']['found']
    pair = checks['torchvision was built for another torch.']
    assert 'torch 1.0.0 with torchvision' in pair['found']
    assert 'pip install --force-reinstall torch==' in pair['fix']


def test_the_doctor_runs_before_anything_is_installed(tmp_path):
    command = [sys.executable, '-S', REPOSITORY / 'tools/doctor.py', CONFIG]  # no site-packages
    command += ['--cfg-options', 'optim_wrapper.optimizer.lr=0.1']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert 'numpy cannot be imported.' in done.stdout
    assert 'not checked: it needs mmdet_digits.register' in done.stdout
    assert 'pip install' in done.stdout


@pytest.mark.parametrize(
    ('option', 'name', 'found'),
    [
        ('train_cfg.max_epochs=-1', 'train_cfg.max_epochs', '-1'),
        ('optim_wrapper.optimizer.lrr=1', 'names a path that the config does not have', 'lrr'),
    ],
)
def test_options_of_the_command_line_are_looked_at(run_tool, tmp_path, option, name, found):
    done = run_tool('doctor.py', CONFIG, '--json', '--cfg-options', option, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    failed = [c for c in json.loads(done.stdout)['checks'] if c['status'] == 'fail']
    assert any(name in check['name'] and found in check['found'] for check in failed), failed


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((CONFIG, '--cfg-options', 'lr'), "found 'lr', expected PATH=VALUE"),
        (('--cfg-options', 'lr=1'), 'found --cfg-options without CONFIG'),
    ],
)
def test_options_that_are_none(run_tool, tmp_path, arguments, message):
    done = run_tool('doctor.py', *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr


FAULTS = {  # of the data and of the config -> what the doctor calls them
    'a box of no width': 'train: boxes without size',
    'a box outside its image': 'train: boxes outside the image',
    'an annotation of no image': 'train: annotations without image',
    'an image id twice': 'train: duplicate image ids',
    'an empty image': 'train: unreadable images',
    'a missing image': 'train: images without file',
    'an image of another size': 'train: image sizes',
    'an empty image without labels': 'test: unreadable images',
    'a JPEG named .png': 'train: misnamed images',
    'a wrong category name': 'val: category names',
    'an image in two splits': 'between splits: same image in train and val',
    'eleven classes': 'num_classes is not the number of classes.',
    'a misspelt argument': 'FasterRCNN has no argument rpn_heads.',
    'weights that are not there': 'The starting weights are not there.',
}


def plant_faults(root):
    train, valid = (
        json.loads((root / f'{split}.json').read_text()) for split in ('train', 'valid')
    )
    boxes, images = train['annotations'], train['images']
    boxes[0]['bbox'][2] = 0
    boxes[1]['bbox'][0] = 5000
    boxes[2]['image_id'] = 99999
    images[9]['id'] = images[8]['id']
    (root / 'train' / images[20]['file_name']).write_bytes(b'')
    (root / 'train' / images[21]['file_name']).unlink()
    images[22]['width'] += 1
    picture = root / 'train' / images[23]['file_name']
    Image.open(picture).save(picture, format='JPEG')
    valid['categories'][9]['name'] = 'nine'
    shutil.copy(root / 'train' / '1.png', root / 'valid' / '1.png')
    (root / 'test.json').unlink()
    (root / 'test' / '4.png').write_bytes(b'')
    for split, content in (('train', train), ('valid', valid)):
        (root / f'{split}.json').write_text(json.dumps(content))


def test_every_planted_fault_is_named(examine, digits_root, tmp_path):
    root, config = tmp_path / 'data', tmp_path / 'config.py'
    shutil.copytree(digits_root, root)
    plant_faults(root)
    config.write_text(
        f"_base_ = '{REPOSITORY / CONFIG}'\n"
        'model = dict(roi_head=dict(bbox_head=dict(num_classes=11)), rpn_heads=1)\n'
        "load_from = 'nothing.pth'\n"
    )
    status, checks = examine(config, '--data-root', root)
    assert status == 1
    named = {name for name in checks if checks[name]['status'] != 'ok'}
    assert set(FAULTS.values()) <= named


def test_python_too_old_for_this_project_is_said_before_anything_else(tmp_path):
    lines = (
        'import runpy, sys',
        'sys.version_info = (3, 9, 1)',
        f'runpy.run_path({str(REPOSITORY / "tools/doctor.py")!r}, run_name="__main__")',
    )
    command = [sys.executable, '-c', '\n'.join(lines)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith('error: This Python is too old.')
    assert 'expected: 3.11 or newer' in done.stderr
