import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

RULE = re.compile(r'[\s│]+')


@pytest.fixture
def check_data(run_tool, tmp_path, monkeypatch):
    """Run the tool from an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COLUMNS', '120')
    return lambda *arguments: run_tool('check_data.py', *arguments, cwd=tmp_path)


@pytest.fixture
def broken(digits_root, tmp_path):
    """A data set with a box without size in train and a file cut off in valid."""
    root = tmp_path / 'broken'
    shutil.copytree(digits_root, root)
    coco = json.loads((root / 'train.json').read_text())
    coco['annotations'][4]['bbox'][2] = 0
    (root / 'train.json').write_text(json.dumps(coco))
    (root / 'valid' / '3.png').write_bytes((root / 'valid' / '3.png').read_bytes()[:200])
    return root


def plain(text):
    """What a table says, without its lines."""
    return RULE.sub(' ', text)


def test_a_sound_data_set(run_tool, digits_root, tmp_path):
    result = run_tool('check_data.py', '--data-root', digits_root, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert re.search(r'^0 fail, \d+ warn, \d+ ok$', result.stdout, re.MULTILINE)
    for split in ('train', 'valid', 'test', 'between splits'):
        assert re.search(rf'^\s*{split}\s*$', result.stdout, re.MULTILINE)


def test_faults_are_named_and_the_exit_status_is_1(check_data, broken):
    result = check_data('--data-root', broken)
    assert result.returncode == 1
    assert 'boxes without size' in plain(result.stdout)
    assert 'image 3 (3.png): 200 bytes, cut off or damaged' in plain(result.stdout)
    assert '2 fail' in result.stdout


def test_headers_alone_do_not_show_what_is_behind_them(check_data, digits_root, broken):
    pixels = bytearray((digits_root / 'valid' / '3.png').read_bytes())
    middle = len(pixels) // 2
    pixels[middle : middle + 40] = bytes(40)
    (broken / 'valid' / '3.png').write_bytes(pixels)
    arguments = (broken / 'valid.json', broken / 'valid')
    assert check_data(*arguments).returncode == 1
    assert check_data(*arguments, '--no-decode').returncode == 0


def test_json_for_machines(check_data, broken):
    result = check_data('--data-root', broken, '--json')
    assert result.returncode == 1
    checks = json.loads(result.stdout)
    assert {(c['split'], c['name']) for c in checks if c['status'] == 'fail'} == {
        ('train', 'boxes without size'),
        ('valid', 'unreadable images'),
    }


def test_a_repaired_copy(check_data, broken):
    before = (broken / 'train.json').read_bytes()
    arguments = ('--data-root', broken, '--fix', 'fixed')
    result = check_data(*arguments)
    assert result.returncode == 1
    assert 'would leave out 1 of 16 images; nothing was written' in result.stderr
    result = check_data(*arguments, '--skip-bad')
    assert result.returncode == 0, result.stderr
    assert 'fixed: repaired copy, 4 changes in fixed/changes.json; now 0 fail' in result.stdout
    assert (broken / 'train.json').read_bytes() == before
    result = check_data(*arguments)
    assert result.returncode == 1
    assert result.stderr.endswith(
        'error: fixed: already there; nothing was written.\n  found:    a folder\n'
        '  expected: the name of a new folder\n  fix: name another one\n'
    )


@pytest.fixture
def unlabelled(digits_root, tmp_path):
    """A data set whose test images have no labels, two of which are broken; one is in train too."""
    root = tmp_path / 'unlabelled'
    shutil.copytree(digits_root, root)
    (root / 'test.json').unlink()
    (root / 'test' / '3.png').write_bytes((root / 'test' / '3.png').read_bytes()[:200])
    (root / 'test' / '7.png').write_text('no image')
    shutil.copy(root / 'train' / '5.png', root / 'test' / '9.png')
    return root


def test_test_images_without_labels_are_looked_at(check_data, unlabelled):
    result = check_data('--data-root', unlabelled)
    assert result.returncode == 1
    said = plain(result.stdout)
    assert '2: image 3 (3.png): 200 bytes' in said and 'image 7 (7.png): 8 bytes' in said
    assert 'train image 5 (5.png) = test image 9 (9.png)' in said
    for name in ('3.png', '7.png', '9.png'):
        (unlabelled / 'test' / name).unlink()
    result = check_data('--data-root', unlabelled)
    assert result.returncode == 0, result.stdout


def test_a_copy_keeps_test_images_without_labels(check_data, unlabelled):
    arguments = ('--data-root', unlabelled, '--fix', 'fixed')
    (unlabelled / 'test' / '9.png').unlink()
    result = check_data(*arguments)
    assert f'{unlabelled}/test: a repair would leave out 2 of 15 images' in result.stderr
    result = check_data(*arguments, '--skip-bad')
    assert result.returncode == 0, result.stderr
    kept = {path.name for path in (unlabelled / 'test').iterdir()} - {'3.png', '7.png'}
    assert {path.name for path in Path('fixed/test').iterdir()} == kept
    assert Path('fixed/test/1.png').samefile(unlabelled / 'test' / '1.png')
    assert not Path('fixed/test.json').exists()


@pytest.fixture
def loose(digits_root, tmp_path):
    """A folder of unlabelled images, and a file of what was found in them: digits half as high."""
    folder, pred = tmp_path / 'photos', tmp_path / 'pred.json'
    shutil.copytree(digits_root / 'train', folder)
    records = []
    for box in json.loads((digits_root / 'train.json').read_text())['annotations']:
        x, y, width, height = box['bbox']
        found = {key: box[key] for key in ('image_id', 'category_id')}
        records.append(found | {'bbox': [x, y, width, height / 2], 'score': 0.9})
    pred.write_text(json.dumps(records))
    return '--against', folder, '--predictions', pred


def test_images_that_are_cropped_loosely_are_told(check_data, digits_root, loose):
    figure = ('--figure', 'crops.png')
    result = check_data('--data-root', digits_root, *loose, *figure)
    assert result.returncode == 0, result.stderr
    said = plain(result.stdout)
    assert 'digits are 0.50 times as high as in train, in 48 of 48 images' in said
    assert 'RandomZoomOut, share=(0.5, 0.5)' in said
    assert Image.open('crops.png').width == 1300
    again = check_data('--data-root', digits_root, *loose, *figure)
    assert again.returncode == 1 and 'crops.png: already there' in again.stderr
    again = check_data('--data-root', digits_root, *loose, *figure, '--overwrite', '--json')
    (found,) = (c for c in json.loads(again.stdout) if c['name'] == 'size and place of the digits')
    assert found['status'] == 'warn'


def test_images_that_nobody_has_read_are_compared_in_their_shape(check_data, digits_root, loose):
    result = check_data('--data-root', digits_root, *loose[:2])
    assert result.returncode == 0, result.stderr
    said = plain(result.stdout)
    assert 'ok shape of the images' in said and '0 of 48 images to be read' in said


def test_predictions_of_other_images_are_refused(check_data, digits_root, loose):
    result = check_data('--data-root', digits_root, '--against', 'gone')
    assert result.returncode == 1 and 'error: gone is no folder.' in result.stderr
    (loose[1] / '7.png').unlink()
    result = check_data('--data-root', digits_root, *loose)
    assert result.returncode == 1
    assert f'image ids that are not in {loose[1]}' in result.stderr


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (('--data-root', 'gone'), 1, 'error: gone: no data set.'),
        (('one.json',), 2, 'found ANN without IMAGES, expected both or neither'),
        (('--predictions', 'p.json'), 2, 'found --predictions without --against'),
        (('--against', 'a', '--figure', 'f.png'), 2, 'found --figure without --predictions'),
        (('--workers', '0'), 2, "found '0', expected a whole number, 1 or more"),
    ],
)
def test_bad_arguments(check_data, arguments, status, message):
    result = check_data(*arguments)
    assert (result.returncode, 'Traceback' in result.stderr) == (status, False)
    assert message in result.stderr


def test_a_file_that_is_not_there_is_a_failed_check(check_data):
    result = check_data('gone.json', 'images', '--json')
    assert result.returncode == 1
    (check,) = json.loads(result.stdout)
    assert check['split'] == 'gone' and 'gone.json: no such file' in check['found']


@pytest.mark.parametrize('name', ['.train.json', 'changes.json', '.json', '..json.gz'])
def test_a_copy_stays_in_its_folder_whatever_the_file_is_called(check_data, digits_root, name):
    content = (digits_root / 'train.json').read_bytes()
    Path(name).write_bytes(content)
    before = set(Path.cwd().iterdir())
    result = check_data(name, digits_root / 'train', '--fix', 'fixed')
    assert result.returncode == 0, result.stderr
    assert set(Path.cwd().iterdir()) - before == {Path.cwd() / 'fixed'}
    split = {'.train.json': 'train', 'changes.json': 'data'}.get(name, 'json')
    assert json.loads(Path('fixed/changes.json').read_text()) == []
    assert json.loads(Path(f'fixed/{split}.json').read_text()) == json.loads(content)
    assert len(list(Path('fixed', split).iterdir())) == len(json.loads(content)['images'])


def test_a_class_that_is_no_digit(check_data, digits_root, tmp_path):
    coco = json.loads((digits_root / 'train.json').read_text())
    coco['categories'].append({'id': 99, 'name': 'plate'})
    coco['annotations'].append(coco['annotations'][0] | {'id': 9999, 'category_id': 99})
    (tmp_path / 'train.json').write_text(json.dumps(coco))
    arguments = ('train.json', digits_root / 'train')
    result = check_data(*arguments)
    assert result.returncode == 1 and '--ignore-classes plate' in plain(result.stdout)
    assert check_data(*arguments, '--ignore-classes', 'plate', '--fix', 'out').returncode == 0
