"""The tool that fits and applies box styles, run as a user runs it."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from mmdet_digits.assembly.number_assembly import PRESETS
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.assembly_files import assembly_beside, write_assembly_beside
from mmdet_digits.synthetic.box_style import BoxStyle, read_box_style

STYLE = BoxStyle(left=0.15, right=0.1, top=0.08, bottom=0.05, offset_x=1, offset_y=1)
TOOLS = Path(__file__).parents[2] / 'tools'
TOOL = 'analysis_tools/box_style.py'
FIT = ('fit', 'pred.json', '--ann', 'real.json')


@pytest.fixture(scope='module')
def folder(digits_root, tmp_path_factory):
    """Detections near the tight boxes of the drawn training images; true boxes of a known style."""
    folder = tmp_path_factory.mktemp('style')
    rng = np.random.default_rng(0)
    coco = json.loads((digits_root / 'train.json').read_text())
    records = []
    for box in coco['annotations']:
        tight = np.array([box['bbox']])
        seen = (tight + rng.normal(0, 0.5, 4))[0].tolist()
        record = {'image_id': box['image_id'], 'bbox': seen, 'score': 0.9}
        records.append(record | {'category_id': box['category_id']})
        box['bbox'] = STYLE.apply(tight)[0].tolist()
    (folder / 'pred.json').write_text(json.dumps(records))
    (folder / 'real.json').write_text(json.dumps(coco))
    return folder


@pytest.fixture
def call(folder, monkeypatch):
    """Run the tool in this process."""

    def call(*arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr('sys.argv', ['box_style.py', *arguments])
        runpy.run_path(str(TOOLS / TOOL))['main']()
        return json.loads((folder / arguments[arguments.index('--out') + 1]).read_text())

    return call


@pytest.fixture(scope='module')
def fitted(run_tool, folder):
    done = run_tool(TOOL, *FIT, '--out', 'style.json', cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fit_finds_the_style_and_shows_what_it_is_worth(fitted, folder):
    before, after = map(float, re.search(r'IoU +│ (\S+) +│ (\S+) +│', fitted).groups())
    assert before < 0.75 and after > 0.93
    found = read_box_style(folder / 'style.json')
    boxes = np.array([[10.0, 10, 12, 30], [10, 10, 30, 60]])
    assert found.apply(boxes) == pytest.approx(STYLE.apply(boxes), abs=0.5)


def test_apply_turns_detections_into_real_boxes_and_back(fitted, folder, call):
    write_assembly_beside(folder / 'pred.json', PRESETS['system_b'])
    styled = call('apply', 'pred.json', '--style', 'style.json', '--out', 'styled.json')
    assert assembly_beside(folder / 'styled.json') == PRESETS['system_b']
    real = json.loads((folder / 'real.json').read_text())['annotations']
    off = np.subtract([box['bbox'] for box in styled], [box['bbox'] for box in real])
    assert np.abs(off).mean() < 0.7
    back = call('apply', 'styled.json', '--style', 'style.json', '--remove', '--out', 'back.json')
    plain = json.loads((folder / 'pred.json').read_text())
    for a, b in zip(plain, back, strict=True):
        assert a | {'bbox': pytest.approx(a['bbox'])} == b


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((*FIT, '--out', 'real.json'), 'real.json: an input would be replaced'),
        ((*FIT, '--out', 'x.json', '--score-thr', '0.95'), '0 of 0 pairs overlap'),
        (('apply', 'pred.json', '--style', 'real.json', '--out', 'x.json'), 'not a box style'),
    ],
)
def test_what_cannot_be_done_is_told_and_writes_nothing(folder, call, arguments, message):
    with pytest.raises(InputError, match=message):
        call(*arguments)
    assert not (folder / 'x.json').exists()
