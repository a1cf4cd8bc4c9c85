"""The tools that need no model, run as a user runs them on drawn images."""

import base64
import csv
import io
import json
import re
import zipfile

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope='module')
def split(digits_root, tmp_path_factory):
    """Detections near the true boxes of the drawn validation images, some of them wrong."""
    folder = tmp_path_factory.mktemp('offline')
    rng = np.random.default_rng(3)
    records = []
    for box in json.loads((digits_root / 'valid.json').read_text())['annotations']:
        confused = int(rng.random() < 0.2)
        found = {'image_id': box['image_id'], 'bbox': box['bbox']}
        found['score'] = float(rng.uniform(0.4, 1))
        found['category_id'] = (box['category_id'] - 1 + confused) % 10 + 1
        records.append(found)
    (folder / 'pred.json').write_text(json.dumps(records))
    return folder


@pytest.fixture
def tool(run_tool, split):
    def run(*arguments):
        return run_tool(*arguments, cwd=split)

    return run


def test_evaluate(tool, split, digits_root):
    arguments = ('--ann', digits_root / 'valid.json', '--assembly', 'system_b')
    done = tool('evaluate.py', 'pred.json', *arguments, '--json', 'metrics.json')
    assert done.returncode == 0, done.stderr
    for row in ('mAP', 'AP50', 'AP of 7', 'number accuracy'):
        assert re.search(rf'│ {row} +│ +\d\.\d{{3}} │', done.stdout), row
    metrics = json.loads((split / 'metrics.json').read_text())
    assert {'coco/bbox_mAP', 'coco/bbox_mAP_50', 'number/accuracy'} <= set(metrics)
    again = tool('evaluate.py', 'pred.json', *arguments, '--json', 'metrics.json')
    assert again.returncode == 1 and 'metrics.json: already there' in again.stderr


def test_assemble(tool, split, digits_root):
    outputs = ('-o', 'numbers.csv', '--submission', 'out.zip')
    source = ('--images', digits_root / 'valid')
    done = tool('assemble_numbers.py', 'pred.json', *source, *outputs)
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader((split / 'numbers.csv').open()))
    assert rows[0] == ['image_id', 'pred_label'] and [int(row[0]) for row in rows[1:]] == [
        *range(1, 17)
    ]
    with zipfile.ZipFile(split / 'out.zip') as archive:
        assert sorted(archive.namelist()) == ['pred.csv', 'pred.json']
        assert archive.read('pred.csv').decode() == (split / 'numbers.csv').read_text()
        assert json.loads(archive.read('pred.json')) == json.loads(
            (split / 'pred.json').read_text()
        )


def test_tune(tool, split, digits_root):
    grid = ('--scores', '0.3', '0.5', '--ious', 'none', '0.5', '--repeats', '50')
    arguments = ('pred.json', '--ann', digits_root / 'valid.json', *grid)
    done = tool('analysis_tools/tune_assembly.py', *arguments, '--out', 'tuned')
    assert done.returncode == 0, done.stderr
    assert 'tuned and reported on the same images' in done.stdout and 'optimistic' in done.stdout
    for text in ("system B's ablation", 'system_a', "dict(type='NumberMetric'", '--min-confidence'):
        assert text in done.stdout
    names = {path.name for path in (split / 'tuned').iterdir()}
    assert names == {'assembly.json', 'config_line.txt', 'sweep.csv', 'sweep.png'}
    assert (split / 'tuned' / 'sweep.csv').read_text().count('\n') == 1 + 4 * 4 * 9
    report = ('--report-pred', 'pred.json', '--report-ann', digits_root / 'valid.json')
    done = tool('analysis_tools/tune_assembly.py', *arguments, *report, '--out', 'again')
    assert done.returncode == 1 and 'the same annotations as --ann' in done.stderr
    assert not (split / 'again').exists()


def test_number_errors(tool, split, digits_root):
    arguments = ('pred.json', '--ann', digits_root / 'valid.json', '--images', digits_root)
    done = tool('analysis_tools/number_errors.py', *arguments, '--out', 'none')
    assert done.returncode == 1 and 'no such file' in done.stderr
    assert not (split / 'none').exists()
    arguments = (*arguments[:-1], digits_root / 'valid', '--worst', '4')
    done = tool('analysis_tools/number_errors.py', *arguments, '--out', 'errors')
    assert done.returncode == 0, done.stderr
    assert 'numbers right' in done.stdout and 'read as' in done.stdout
    page = (split / 'errors' / 'errors.html').read_text()
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert page.count('<img') == len(pictures) == 4
    assert not re.search(r'(?:src|href)="(?!data:)', page)  # nothing outside the page
    assert Image.open(io.BytesIO(base64.b64decode(pictures[0]))).width > 100
    for name in ('gallery.png', 'confusion.png'):
        assert Image.open(split / 'errors' / name).width > 300


@pytest.mark.parametrize(
    ('tool_name', 'options'),
    [
        ('evaluate.py', ()),
        ('analysis_tools/number_errors.py', ('--images', 'IMAGES', '--out', 'plates')),
        (
            'analysis_tools/tune_assembly.py',
            ('--scores', '0.5', '--ious', '0.5', '--repeats', '5', '--out', 'plates_tuned'),
        ),
        ('analysis_tools/box_style.py', ('--out', 'plates_style.json')),
    ],
)
def test_boxes_that_are_no_digits_can_be_left_out(tool, split, digits_root, tool_name, options):
    """The message about them says how, also where a name has a comma."""
    coco = json.loads((digits_root / 'valid.json').read_text())
    coco['categories'].append({'id': 99, 'name': 'plate, frame'})
    coco['annotations'].append(coco['annotations'][0] | {'id': 10**6, 'category_id': 99})
    (split / 'plates.json').write_text(json.dumps(coco))
    command = ('fit',) * ('box_style' in tool_name) + ('pred.json', '--ann', 'plates.json')
    options = [digits_root / 'valid' if option == 'IMAGES' else option for option in options]
    refused = tool(tool_name, *command, *options)
    assert refused.returncode == 1
    (names,) = re.findall(r"--ignore-classes '(.*?)' of the tools with --ann", refused.stderr)
    done = tool(tool_name, *command, *options, '--ignore-classes', names)
    assert done.returncode == 0, done.stderr


def test_thumbnails_are_not_taken_for_the_images(tool, split, digits_root):
    (split / 'small').mkdir()
    for path in (digits_root / 'valid').iterdir():
        Image.open(path).resize((8, 5)).save(split / 'small' / path.name)
    arguments = ('pred.json', '--ann', digits_root / 'valid.json', '--images', 'small')
    done = tool('analysis_tools/number_errors.py', *arguments, '--out', 'thumbnails')
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'found:    8 x 5 px' in done.stderr and '--images' in done.stderr
    assert not (split / 'thumbnails').exists()


def test_predictions_on_other_images_are_told(tool, split, digits_root):
    records = json.loads((split / 'pred.json').read_text())
    for record in records:
        record['bbox'] = [1000 + record['bbox'][0], *record['bbox'][1:]]
    (split / 'other.json').write_text(json.dumps(records))
    done = tool('evaluate.py', 'other.json', '--ann', digits_root / 'valid.json')
    assert done.returncode == 0, done.stderr
    said = (done.stdout + done.stderr).replace('\n', ' ')
    assert f'100% of the {len(records)} boxes lie outside their images' in said
    fitting = tool('evaluate.py', 'pred.json', '--ann', digits_root / 'valid.json')
    assert 'outside' not in fitting.stdout + fitting.stderr


def test_bad_input_ends_with_one_message(tool, split):
    image = {'id': 1, 'file_name': '1.png', 'width': 9, 'height': 9}
    (split / 'few.json').write_text(json.dumps({'images': [image]}))
    done = tool('assemble_numbers.py', 'pred.json', '--ann', 'few.json', '-o', 'never.csv')
    assert done.returncode == 1 and done.stderr.startswith('error: pred.json: ')
    assert 'image ids that are not in few.json' in done.stderr and 'Traceback' not in done.stderr
    assert not (split / 'never.csv').exists()
