"""The benchmarks measure what they say: the same work for all, in turn, in tables that add up."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch
from printed_tables import rows_of

from mmdet_digits.errors import InputError

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


def test_spread_has_the_median_first():
    from common import spread

    assert spread([3.0, 1.0, 2.0]) == '2 (1-3)'
    assert spread([0.12345]) == '0.123 (0.123-0.123)'


def test_table_is_markdown_with_its_columns_aligned(capsys):
    from common import print_table

    print_table(['what', 'ms'], [['a', '10.5'], ['longer', '2']])
    assert capsys.readouterr().out.splitlines() == [
        '| what   |   ms |',
        '| ------ | ---: |',
        '| a      | 10.5 |',
        '| longer |    2 |',
    ]


def test_ways_take_turns_and_the_first_round_does_not_count():
    from common import time_in_turn

    calls, ticks = [], iter(range(100))
    ways = {name: lambda name=name: calls.append(name) for name in 'ab'}
    seconds = time_in_turn(ways, repeats=2, clock=lambda: next(ticks))
    assert calls == list('ababab')
    assert seconds == {'a': [1, 1], 'b': [1, 1]}


def test_switches_add_up():
    from switches import ALL_OFF, SWITCHES, options_of

    def hook(options):
        return options['custom_hooks'][0]

    plain, everything = options_of(ALL_OFF), options_of(ALL_OFF, *SWITCHES.values())
    off = dict(channels_last=False, keep_freed_memory=False)
    assert hook(plain) == dict(type='ExecutionHook', **off)
    assert plain['optim_wrapper.optimizer.fused'] is False
    assert hook(everything)['channels_last'] is True
    assert everything['optim_wrapper.optimizer.fused'] is True
    assert everything['optim_wrapper.type'] == 'PortableAmpOptimWrapper'


def test_the_peer_gets_the_same_images_and_boxes(work, digits_root):
    from detectors import DATA_CONFIG, read_batches, to_torchvision
    from mmengine.config import Config

    pipeline = Config.fromfile(BENCHMARKS.parent / DATA_CONFIG).train_pipeline
    items = read_batches(work, [step for step in pipeline if step.type != 'CanvasResize'])[1]
    content = json.loads((digits_root / 'train.json').read_text())
    for item in items:
        image, target = to_torchvision(item)
        name = item['data_samples'].img_path
        expected = cv2.cvtColor(cv2.imread(name), cv2.COLOR_BGR2RGB)
        assert torch.equal((image * 255).round().byte(), torch.tensor(expected).permute(2, 0, 1))
        truth = [a for a in content['annotations'] if a['image_id'] == item['data_samples'].img_id]
        assert target['labels'].tolist() == [a['category_id'] for a in truth]
        x, y, w, h = torch.tensor([a['bbox'] for a in truth]).T
        torch.testing.assert_close(target['boxes'], torch.stack([x, y, x + w, y + h], dim=1))


@pytest.mark.parametrize('training', [True, False])
def test_a_contender_trains_or_predicts(work, training):
    from contenders import Contender
    from detectors import own, prepare, take_step

    prepare(Contender('tiny', 'frcnn_tiny'), replace(work, training=training))
    assert own.size == '192x96'
    steps = [take_step(index) for index in range(2)]
    assert all(seconds > 0 for seconds, _ in steps)
    if training:
        assert all(math.isfinite(loss) for _, loss in steps)
        assert take_step(0)[1] < steps[0][1]  # it has learnt
    else:
        assert [loss for _, loss in steps] == [None, None]


def test_ways_of_one_detector_follow_each_other(work, tmp_path, monkeypatch, capsys):
    import step_ways

    images = ['--images', str(work.images), '--ann', str(work.ann), '--repeats', '1']
    file = tmp_path / 'ways.json'
    argv = ['step_ways.py', 'frcnn_tiny', *images, '--batches', '2', '1', '--json', str(file)]
    monkeypatch.setattr(sys, 'argv', argv)
    step_ways.main()
    ways = json.loads(file.read_text())
    order = [(2, True), (2, False), (1, True), (1, False)]
    assert [(way['batch'], way['amp']) for way in ways] == order
    assert all(way['size'] == '192x96' and way['rates'][0] > 0 for way in ways)
    assert len([line for line in capsys.readouterr().out.splitlines() if '192x96' in line]) == 4


def test_a_way_without_memory_does_not_stop_the_others(work, monkeypatch):
    import step_ways
    from programme_page import way_row

    def prepare(contender, work):
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(step_ways, 'prepare', prepare)
    way = dict(batch=24, amp=False, **step_ways.time_way('torchvision', work))
    assert way_row(way) == ['24', 'FP32', '', 'out of memory', '']


def test_too_few_images_are_an_error(work):
    from contenders import Contender
    from detectors import prepare

    with pytest.raises(InputError, match='too few images'):
        prepare(Contender('tiny', 'frcnn_tiny'), replace(work, batch=99))


def test_operators_equal_their_peers(monkeypatch, capsys):
    import ops

    few = ['--repeats', '1', '--boxes', '100', '--rois', '8']
    monkeypatch.setattr(sys, 'argv', ['ops.py', *few])
    ops.main()
    header, *rows = rows_of(capsys.readouterr().out).items()
    assert header[1][-1] == 'largest difference'
    assert len(rows) == 6  # with the rule
    assert all(float(cells[-1]) < 1e-3 for _, cells in rows[1:])


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return rows_of(done.stdout)


@pytest.mark.slow
def test_training_and_prediction_beside_torchvision():
    for script in ('train_step.py', 'inference.py'):
        rows = run(script, 'torchvision', 'frcnn_tiny', '--batch', '1', '--repeats', '1')
        assert rows['torchvision'][0] == '1333x800' and rows['torchvision'][-1] == '1.0'
        assert float(rows['frcnn_tiny'][-1]) > 1  # times as fast
        assert float(rows['frcnn_tiny'][-2]) < float(rows['torchvision'][-2])  # memory


@pytest.mark.slow
def test_switches_and_profile():
    rows = run('switches.py', 'frcnn_tiny', '--repeats', '1')
    assert list(rows)[2:] == [
        'none', 'channels_last', 'keep_freed_memory', 'fused optimizer', 'mixed precision',
        'all together',
    ]  # fmt: skip
    assert rows['none'][1] == rows['none'][-1] == '1.00'
    assert float(rows['fused optimizer'][2]) == float(rows['none'][2])  # the first loss
    assert 'aten::mkldnn_convolution' in run('profile_step.py', 'frcnn_tiny', '--repeats', '1')
