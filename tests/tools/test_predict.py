"""From image files to the two files of a submission, with a model that has learnt nothing."""

import csv
import json
import zipfile

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from PIL import Image

from mmdet_digits.cli import REPOSITORY

TINY = 'configs/digits/frcnn_tiny.py'
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


def rows(path):
    return list(csv.reader(path.open()))


def test_files_and_submission_of_the_same_images_agree(run_tool, checkpoint, digits_root, tmp_path):
    (tmp_path / 'assembly.json').write_text(json.dumps(ASSEMBLY))
    images = (digits_root / 'test', '--out', 'out', '--assembly', 'assembly.json')
    done = run_tool('predict.py', TINY, checkpoint, *images, '--batch-size', '8', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '16 images in' in done.stdout and 'images/s' in done.stdout
    table = rows(tmp_path / 'out' / 'pred.csv')
    assert [row[0] for row in table[1:]] == [str(n) for n in range(1, 17)]
    assert any(label != '-1' for _, label in table[1:])
    records = json.loads((tmp_path / 'out' / 'pred.json').read_text())
    assert {record['category_id'] for record in records} <= set(range(1, 11))

    options = [f'+test_evaluator.1.assembly.{key}={value}' for key, value in ASSEMBLY.items()]
    arguments = ('--data-root', digits_root, '--submission', 'sub.zip', '--cfg-options', *options)
    options = ('test_dataloader.batch_size=8',)  # padding depends on the batch
    tested = run_tool('test.py', TINY, checkpoint, *arguments, *options, cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    with zipfile.ZipFile(tmp_path / 'sub.zip') as archive:
        assert sorted(archive.namelist()) == ['pred.csv', 'pred.json']
        assert archive.read('pred.csv').decode() == (tmp_path / 'out' / 'pred.csv').read_text()


def test_unreadable_files_are_listed_and_pictures_drawn(
    run_tool, checkpoint, digits_root, tmp_path
):
    folder = tmp_path / 'photos'
    folder.mkdir()
    Image.open(digits_root / 'test' / '1.png').save(folder / 'door.jpg')
    Image.open(digits_root / 'test' / '2.png').convert('L').save(folder / '10.png')
    content = (digits_root / 'test' / '3.png').read_bytes()
    (folder / 'half.png').write_bytes(content[: len(content) // 2])
    (folder / 'empty.png').touch()
    (tmp_path / 'out' / 'pictures').mkdir(parents=True)
    (tmp_path / 'out' / 'pictures' / '7.png').touch()  # of an earlier run
    arguments = (TINY, checkpoint, 'photos', '--out', 'out', '--draw', '--overwrite')
    done = run_tool('predict.py', *arguments, cwd=tmp_path)
    assert done.returncode == 3
    assert '2 files could not be read' in done.stderr
    assert 'half.png: cannot be decoded' in done.stderr and 'empty.png' in done.stderr
    assert 'Traceback' not in done.stderr
    table = rows(tmp_path / 'out' / 'images.csv')  # names are not numbers: running ids, mapped
    assert table == [['image_id', 'file_name'], ['1', 'photos/10.png'], ['2', 'photos/door.jpg']]
    assert [row[0] for row in rows(tmp_path / 'out' / 'pred.csv')] == ['image_id', '1', '2']
    pictures = sorted(path.name for path in (tmp_path / 'out' / 'pictures').iterdir())
    assert pictures == ['1.png', '2.png']
