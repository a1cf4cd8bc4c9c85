import importlib

import pytest

from mmdet_digits.checks.environment import (
    PACKAGES,
    check_families,
    check_import,
    check_opencv,
    check_python,
    check_torch_pair,
    check_versions,
    failed_import,
    fits,
    read_pins,
    repository_pins,
)
from mmdet_digits.checks.finding import Status

PINS = {'torch': '2.11.0', 'torchvision': '0.26.0', 'rich': '15.0.0'} | {
    f'onedl-{name}': '1.0' for name in ('mmcv', 'mmengine', 'mmdetection')
}


@pytest.mark.parametrize(
    ('version', 'specifiers', 'expected'),
    [
        ('3.11.0', '>=3.11,<3.14', True),
        ('3.13.9', '>=3.11,<3.14', True),
        ('3.14.0', '>=3.11,<3.14', False),
        ('3.9.18', '>=3.11,<3.14', False),
        ('2.11.0+cpu', '==2.11.0', True),
        ('2.11.0rc1', '==2.11.0', True),
        ('2.2', '!=2.2', False),
        ('2.2', '<=2.2,>2.1', True),
        ('1.0', '', True),
    ],
)
def test_versions_in_a_range(version, specifiers, expected):
    assert fits(version, specifiers) is expected


def test_pins_are_read_with_their_comments_left_out():
    text = '# versions\nTorch==2.11.0   # pair\nfaster_coco-eval==1.8.0\nnumpy>=2\n-e .\n'
    assert read_pins(text) == {'torch': '2.11.0', 'faster-coco-eval': '1.8.0'}


def test_requirements_of_the_project_pin_what_has_to_go_together():
    assert {'torch', 'torchvision', 'numpy', *PACKAGES.values()} <= repository_pins().keys()


def test_python_outside_the_range_fails():
    assert check_python('3.11.7', '>=3.11,<3.14').status is Status.OK
    check = check_python('3.14.0', '>=3.11,<3.14')
    assert (check.status, check.expected) == (Status.FAIL, '>=3.11,<3.14')


@pytest.mark.parametrize(
    ('installed', 'status', 'found', 'fix'),
    [
        (PINS, Status.OK, 'packages of requirements.txt', ''),
        (PINS | {'torch': '2.11.0+cu130'}, Status.OK, 'packages', ''),
        (PINS | {'rich': '14.0'}, Status.WARN, 'rich 14.0', 'pip install rich==15.0.0'),
        (PINS | {'torch': None}, Status.FAIL, 'no torch', 'pip install torch==2.11.0'),
        (PINS | {'rich': None}, Status.WARN, 'no rich', 'pip install rich==15.0.0'),
        (PINS | {'unpinned': None}, Status.FAIL, 'no unpinned', 'pip install unpinned'),
        (
            PINS | {'torch': None, 'rich': '14.0'},
            Status.FAIL,
            'no torch, rich 14.0',
            'pip install torch==2.11.0 rich==15.0.0',
        ),
    ],
)
def test_versions_against_the_requirements(installed, status, found, fix):
    needed = ['torch', 'torchvision', *(installed.keys() - PINS.keys())]
    installed = {name: version for name, version in installed.items() if version}
    check = check_versions(PINS, installed, needed)
    assert (check.status, check.fix) == (status, fix)
    assert found in check.found


@pytest.mark.parametrize(
    ('torch', 'requires', 'status'),
    [
        ('2.11.0', ['numpy', 'torch (==2.11.0)'], Status.OK),
        ('2.11.0+cpu', ['torch==2.11.0'], Status.OK),
        ('2.13.0+cpu', ['torch==2.11.0'], Status.FAIL),
        ('2.13.0', ['torchmetrics==2.11.0'], Status.OK),
        (None, ['torch==2.11.0'], Status.WARN),
    ],
)
def test_torch_and_torchvision_are_a_pair(torch, requires, status):
    installed = {'torchvision': '0.26.0'} | ({'torch': torch} if torch else {})
    check = check_torch_pair(installed, requires, PINS)
    assert check.status is status
    if status is Status.FAIL:
        assert 'operator torchvision::nms does not exist' in check.found
        assert 'torch==2.11.0 torchvision==0.26.0' in check.fix


@pytest.mark.parametrize(
    ('upstream', 'maintained', 'status'),
    [
        ([], ['onedl-mmcv', 'onedl-mmengine', 'onedl-mmdetection'], Status.OK),
        ([], [], Status.OK),
        (['mmcv'], ['onedl-mmcv'], Status.FAIL),
        (['mmcv-lite', 'mmdet'], [], Status.FAIL),
    ],
)
def test_no_folder_has_two_owners(upstream, maintained, status):
    check = check_families(dict.fromkeys(upstream + maintained, '1.0'), PINS)
    assert check.status is status
    if upstream:
        assert check.fix.startswith(f'pip uninstall -y {" ".join(upstream)}\n')
        assert 'onedl-mmcv==1.0 onedl-mmengine==1.0 onedl-mmdetection==1.0' in check.fix


@pytest.mark.parametrize(
    ('installed', 'status'),
    [
        ({}, Status.WARN),
        ({'opencv-python-headless': '4.12'}, Status.OK),
        ({'opencv-python-headless': '4.12', 'opencv-python': '4.12'}, Status.OK),
        ({'opencv-python-headless': '4.12', 'opencv-python': '4.10'}, Status.WARN),
        ({'opencv-contrib-python': '4.12', 'opencv-python': '4.10'}, Status.WARN),
    ],
)
def test_two_releases_of_opencv(installed, status):
    assert check_opencv(installed, {'opencv-python-headless': '4.12'}).status is status


@pytest.mark.parametrize(
    'line',
    [
        'raise OSError("libcudart.so.13: cannot open shared object file")',
        'raise RuntimeError("broken")',
        'raise SystemExit("broken")',
        'import module_that_nobody_has',
        'x =',
    ],
)
def test_import_that_raises_anything_is_a_finding(tmp_path, monkeypatch, line):
    (tmp_path / 'breaking.py').write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    check = check_import('breaking')
    assert check.status is Status.FAIL
    assert check.name == 'breaking cannot be imported.'
    assert check.fix


def test_import_that_works_says_the_version():
    check = check_import('numpy')
    assert (check.status, check.found) == (Status.OK, importlib.import_module('numpy').__version__)


@pytest.mark.parametrize(
    ('module', 'error', 'meaning', 'fix'),
    [
        (
            'torchvision',
            RuntimeError('operator torchvision::nms does not exist'),
            'built for another torch',
            'torch=={torch} torchvision=={torchvision}',
        ),
        (
            'cv2',
            ImportError('libGL.so.1: cannot open shared object file'),
            'libgl1',
            'opencv-python-headless=={opencv-python-headless}',
        ),
        (
            'torch',
            OSError('libcudnn.so.9: cannot open shared object file'),
            'CUDA',
            'torch=={torch} torchvision=={torchvision}',
        ),
        (
            'pycocotools',
            ValueError('numpy.dtype size changed, may indicate binary incompatibility'),
            'another NumPy',
            'numpy=={numpy}',
        ),
        ('mmdet', AssertionError('MMCV is incompatible'), '', 'onedl-mmdetection=='),
        (
            'mmcv',
            ModuleNotFoundError("No module named 'torch'", name='torch'),
            '',
            'torch=={torch}',
        ),
        ('mmcv', ModuleNotFoundError("No module named 'x.y'", name='x.y'), '', 'requirements.txt'),
    ],
)
def test_known_symptoms_of_a_failed_import(module, error, meaning, fix):
    check = failed_import(module, error)
    assert f'{type(error).__name__}: {error}' in check.found
    assert meaning in check.found
    for name, version in repository_pins().items():
        fix = fix.replace(f'{{{name}}}', version)
    assert fix in check.fix
