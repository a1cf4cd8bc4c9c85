"""The tools that look at trainings, and the entry to mmdet's own."""

import json
import os
import pickle
import runpy
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from PIL import Image
from written_runs import write_run

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
TINY = TOOLS.parents[1] / 'configs' / 'digits' / 'frcnn_tiny.py'


@pytest.fixture
def tool(monkeypatch, capsys, tmp_path):
    """Call a tool in ``tmp_path``; return its exit status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        try:
            with patch.dict(os.environ):  # load_config adds to it
                runpy.run_path(str(TOOLS / name), run_name='__main__')
            status = 0
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr()

    return run


def message(status, printed):
    """What a tool that failed said, from its exit status or from argparse."""
    return str(status) if isinstance(status, str) else printed.err


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / 'fp32', epochs=3, **{'digits/precision': 0.9})
    write_run(tmp_path / 'amp', epochs=2)
    return 'fp32', 'amp'


def test_plot(tool, runs):
    status, printed = tool('plot_run.py', *runs, '-o', 'deep/curves.png')
    assert status == 0 and 'written to deep/curves.png' in printed.out
    assert Image.open('deep/curves.png').width > 1000
    status, printed = tool('plot_run.py', *runs, '-o', 'deep/curves.png')
    assert 'deep/curves.png: already there' in message(status, printed)
    assert tool('plot_run.py', 'amp', '-o', 'deep/curves.png', '--overwrite')[0] == 0


def test_plot_of_a_killed_run_says_what_was_left_out(tool, runs):
    (path,) = Path('amp').glob('*/vis_data/scalars.json')
    path.write_text(path.read_text()[:-9])
    status, printed = tool('plot_run.py', 'amp')
    assert status == 0 and Path('curves.png').is_file()
    assert f'note: {path}: line 10, the last, is cut off and was left out' in printed.err


def test_compare(tool, runs):
    Path('fp32/largest_batch.json').write_text('{"largest_batch": 16, "memory": "8GiB"}')
    outputs = ('--markdown', 'table.md', '--json', 'table.json', '--figure', 'curves.png')
    status, printed = tool('compare_runs.py', *runs, '--names', 'full', 'mixed', *outputs)
    assert status == 0 and printed.err == ''
    for text in ('full', 'mixed', '16 in 8GiB', 'not measured', '0.900 (1)', '0.300 (3)'):
        assert text in printed.out
        assert text in Path('table.md').read_text()
    content = json.loads(Path('table.json').read_text())
    assert content['runs']['full']['best']['coco/bbox_mAP'] == {'value': 0.3, 'epoch': 3}
    assert 'digits/precision' not in content['runs']['mixed']['best']
    assert content['runs']['mixed']['seconds_per_epoch'] == pytest.approx(40 * 0.5 + 13 * 0.25)
    assert Image.open('curves.png').width > 1000
    status, printed = tool('compare_runs.py', *runs, '--json', 'table.json')
    assert 'table.json: already there' in message(status, printed)


@pytest.mark.parametrize(
    ('name', 'arguments', 'said'),
    [
        ('plot_run.py', ('nowhere',), 'nowhere: no run to read.'),
        ('plot_run.py', ('fp32', '--names', 'a', 'b'), 'as many different names as runs'),
        ('plot_run.py', ('fp32', '-o', 'a.foo'), "the ending 'foo'"),
        ('compare_runs.py', ('fp32', 'fp32'), 'as many different names as runs'),
        ('compare_runs.py', ('fp32', 'nowhere', '--json', 'a.json'), 'nowhere: no run to read.'),
        ('compare_runs.py', ('fp32', '--json', 'a.json', '--figure', 'a.foo'), "the ending 'foo'"),
        ('mmdet_tool.py', ('eval_metric',), 'use python tools/evaluate.py'),
    ],
)
def test_mistakes_end_with_one_message_and_no_file(tool, runs, tmp_path, name, arguments, said):
    status, printed = tool(name, *arguments)
    assert status not in (0, None) and said in message(status, printed)
    assert {path.name for path in tmp_path.iterdir()} == {'fp32', 'amp'}


def test_mmdet_tools_are_listed(tool):
    status, printed = tool('mmdet_tool.py')
    assert status == 0
    for name in ('confusion_matrix', 'get_flops', 'browse_dataset'):
        assert name in printed.out


@pytest.fixture
def predictions(digits_root, tmp_path):
    """A file as ``test.py --out`` writes it, with every true box in it."""
    coco = json.loads((digits_root / 'test.json').read_text())
    samples = []
    for image in coco['images']:
        boxes = [box for box in coco['annotations'] if box['image_id'] == image['id']]
        corners = [[x, y, x + w, y + h] for x, y, w, h in (box['bbox'] for box in boxes)]
        found = dict(bboxes=torch.tensor(corners, dtype=torch.float32))
        found['labels'] = torch.tensor([box['category_id'] - 1 for box in boxes])
        found['scores'] = torch.ones(len(boxes))
        samples.append(dict(img_id=image['id'], pred_instances=found))
    (tmp_path / 'predictions.pkl').write_bytes(pickle.dumps(samples))
    return 'predictions.pkl'


def test_mmdet_tool_draws_a_confusion_matrix(run_tool, digits_root, predictions, tmp_path):
    entry = ('analysis_tools/mmdet_tool.py', '--data-root', digits_root)
    done = run_tool(*entry, 'confusion_matrix', TINY, predictions, 'out', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / 'out' / 'confusion_matrix.png').width > 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ('arguments', 'said', 'written'),
    [
        (('analyze_results', TINY, 'predictions.pkl', 'out', '--topk', 2), '', 'out/good/*.png'),
        (('browse_dataset', TINY, '--not-show', '--output-dir', 'out'), '', 'out/*.png'),
        (('get_flops', TINY, '--num-images', 1), 'Params: 3.86M', None),
        (('print_config', TINY, '--save-path', 'out/config.py'), 'num_classes=10', 'out/config.py'),
        (('benchmark', TINY, '--task', 'dataset', '--max-iter', 9), 'Overall fps', None),
    ],
)
def test_mmdet_tools_run(run_tool, digits_root, predictions, tmp_path, arguments, said, written):
    entry = ('analysis_tools/mmdet_tool.py', '--data-root', digits_root)
    done = run_tool(*entry, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout + done.stderr
    assert written is None or list(tmp_path.glob(written))
