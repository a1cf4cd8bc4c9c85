"""What a wheel holds: the tools read numbers with it alone, from any folder."""

import csv
import os
import shutil
import subprocess
import sys

import pytest

from mmdet_digits.repository import REPOSITORY

SOURCES = (
    *('mmdet_digits', 'configs', 'models', 'tools'),
    *('pyproject.toml', 'setup.py', 'MANIFEST.in', 'README.md', 'LICENSE', 'requirements.txt'),
)
CONFIG = 'configs/digits/frcnn_tiny_synthetic_256.py'
WEIGHTS = 'models/frcnn_tiny_synthetic_256.safetensors'


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """A folder with the package as pip installs it, and nothing else."""
    folder = tmp_path_factory.mktemp('installed')
    for name in SOURCES:
        source, copy = REPOSITORY / name, folder / 'source' / name
        copy.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(source, copy)
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check']
    built = subprocess.run(
        [*pip, 'wheel', '--no-deps', '--wheel-dir', folder, folder / 'source'],
        capture_output=True,
        text=True,
        check=False,
    )
    if 'setuptools' in built.stderr and 'No matching distribution' in built.stderr:
        pytest.skip('pip cannot fetch setuptools here')
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob('*.whl')
    target = ['install', '--no-deps', '--target', folder / 'site', wheel]
    subprocess.run([*pip, *target], check=True, capture_output=True)
    return folder / 'site'


@pytest.fixture
def command(installed, tmp_path):
    """Run the command of the wheel in an empty folder."""

    def run(*arguments):
        environment = {k: v for k, v in os.environ.items() if k != 'DIGITS_DATA_ROOT'}
        return subprocess.run(
            [sys.executable, installed / 'bin' / 'mmdet-digits', *arguments],
            cwd=tmp_path,
            env={**environment, 'PYTHONPATH': str(installed)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_it_reads_numbers_and_shows_errors(command, digits_root, tmp_path):
    done = command('predict', CONFIG, WEIGHTS, digits_root / 'test', '--out', 'numbers')
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / 'numbers' / 'pred.csv').open()))
    assert len(rows) == 16
    assert sum(row['pred_label'] != '-1' for row in rows) > 8
    truth = ('--ann', digits_root / 'test.json', '--images', digits_root / 'test')
    done = command('number_errors', 'numbers/pred.json', *truth, '--out', 'errors')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'errors' / 'errors.html').is_file()


def test_it_reads_numbers_without_torch(command, digits_root):
    done = command('read', digits_root / 'test', '--weights', 'synthetic')
    assert done.returncode == 0, done.stderr
    numbers = [line.split(',')[1] for line in done.stdout.splitlines()]
    assert len(numbers) == 16 and sum(number != '-1' for number in numbers) > 8


@pytest.mark.parametrize(
    ('tool', 'package'), [('train', 'mmengine'), ('predict', 'torch'), ('check_data', 'scipy')]
)
def test_what_needs_the_rest_says_so(installed, tmp_path, tool, package):
    """In an installation that only reads numbers."""
    (tmp_path / f'{package}.py').write_text(
        f'raise ModuleNotFoundError("No module named {package}", name={package!r})\n'
    )
    done = subprocess.run(
        [sys.executable, installed / 'bin' / 'mmdet-digits', tool, *'abc', '--out', 'd'],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{installed}'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f'error: mmdet-digits {tool} needs more than is installed.\n'
        f'  found:    no package {package}\n'
        '  expected: what requirements.txt lists\n'
        '  fix: pip install -r requirements.txt, in a clone of the project\n'
    )


@pytest.mark.slow
def test_an_empty_environment_reads_numbers(installed, digits_root, tmp_path):
    """What pip brings of itself, in the newest versions, is enough, and holds no torch."""
    (wheel,) = installed.parent.glob('*.whl')
    python = tmp_path / 'env/bin/python'
    subprocess.run([sys.executable, '-m', 'venv', tmp_path / 'env'], check=True)
    subprocess.run([python, '-m', 'pip', 'install', '--quiet', wheel], check=True)
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    done = subprocess.run(
        [tmp_path / 'env/bin/mmdet-digits', 'read', digits_root / 'test', '--out', 'out', '--draw'],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / 'out/pictures').iterdir())) == 16
    assert not list((tmp_path / 'env').rglob('torch/__init__.py'))


def test_what_is_not_there_gets_a_message(command, tmp_path):
    for arguments, expected in (
        (('train', 'configs/digits/frcnn_tini.py'), 'did you mean configs/digits/frcnn_tiny.py?'),
        (('train', 'configs/digits/frcnn_tiny.py'), str(tmp_path / 'data' / 'digits')),
        (('train', 'configs/digits/frcnn_tiny.py'), 'mmdet-digits prepare_data synthetic\n'),
    ):
        done = command(*arguments)
        assert done.returncode == 1
        assert expected in done.stderr
        assert 'Traceback' not in done.stderr


def test_what_to_do_next_is_a_command_of_the_package(command):
    few = ('--train', '2', '--valid', '1', '--test', '1')
    drawn = command('prepare_data', 'synthetic', *few, '--out', 'drawn')
    assert '\nNext: mmdet-digits train configs/' in drawn.stdout, drawn.stderr


def test_every_tool_has_a_command(command):
    shown = command().stdout
    assert shown == command('--help').stdout
    for tool in REPOSITORY.joinpath('tools').rglob('*.py'):
        assert f'\n{tool.stem} ' in shown
    assert 'usage: train.py ' in command('train', '--help').stdout
    assert command('trane').returncode == 2
