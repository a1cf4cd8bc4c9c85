"""The programme for a GPU: what fits into its minutes; a rehearsal that is stopped on the way."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from printed_tables import rows_of

from mmdet_digits.errors import InputError

SCRIPT = Path(__file__).resolve().parents[2] / 'benchmarks/gpu_programme.py'


@pytest.fixture
def programme(digits_root, tmp_path):
    from gpu_programme import Programme
    from programme_page import page
    from programme_sizes import FULL
    from stages import Record

    return Programme(FULL, digits_root, digits_root, Record(tmp_path, {}, page))


@pytest.mark.parametrize(
    ('minutes', 'speeds', 'trainings'), [(9, 3, 4), (6, 1, 4), (3, 1, 2), (1, 1, 0)]
)
def test_what_fits_into_the_minutes(programme, minutes, speeds, trainings):
    from stages import GRACE, share_time

    shares = share_time(programme.stages(), 60 * minutes - GRACE)
    names = [stage.name for stage in shares]
    assert len([name for name in names if name.startswith('speed: ')]) == speeds
    assert 'speed: frcnn_fp32' in names  # by which the trainings are planned
    trained = [name.partition(': ')[2] for name in names if name.startswith('training: ')]
    tested = [name.partition(': ')[2] for name in names if name.startswith('test: ')]
    assert trained == tested and len(trained) == trainings
    assert ('weights' in names) == (trainings > 0)


def add_rates(record, **rates):
    """What the timed steps of the recipes' detector might have found, at batch 24."""
    ways = [dict(batch=24, amp=name == 'AMP', rates=[rate]) for name, rate in rates.items()]
    other = dict(batch=16, amp=True, rates=[1e6])
    ways = [dict(way, size='320x160', memory=None) for way in [*ways, other]]
    record.add('speed: frcnn_fp32', dict(state='done', ways=ways))


def test_trainings_are_planned_by_what_was_measured(programme):
    from gpu_programme import USUAL_START_UP
    from planned_training import MARGIN
    from stages import RunError

    with pytest.raises(RunError, match='how fast this machine trains'):
        programme.plan('frcnn_synthetic', 24, 60)
    add_rates(programme.record, FP32=50)  # better than nothing
    seen = int((60 - USUAL_START_UP) * MARGIN * 50)
    assert programme.plan('frcnn_synthetic', 24, 60) == (1, seen // 24 * 24)
    add_rates(programme.record, AMP=100, FP32=50)
    assert programme.plan('frcnn_best', 24, 60) == (2 * seen // 48, 48)  # images of --train

    trained = dict(epochs=1, images=1000, steps=42, last_logged_step=40, seconds_per_image=0.02)
    trained |= dict(state='done', seconds=30, last_loss=1.0, last_learning_rate=0.0)
    for ended_early, start_up in ((False, 10), (True, USUAL_START_UP)):
        found = dict(trained, ended_early=ended_early)
        programme.record.add('training: frcnn_synthetic, AMP', found)
        seen = int((60 - start_up) * MARGIN / 0.02)
        assert programme.plan('frcnn_best', 24, 60) == (seen // 48, 48)


def test_float32_gets_as_much_more_time_as_it_is_slower(programme):
    def weights():
        stages = [s for s in programme.stages() if s.name.startswith('training: frcnn_best')]
        return {stage.name.rpartition(' ')[2]: stage.weight for stage in stages}

    assert weights() == dict(AMP=1, FP32=2)
    add_rates(programme.record, AMP=300, FP32=100)
    assert weights() == dict(AMP=1, FP32=3)


def arguments(root, out, minutes):
    options = ['--train', root, '--test', root, '--out', out, '--minutes', minutes]
    return [*map(str, [SCRIPT, '--sizes', 'tiny', *options])]


def test_data_that_is_not_there_is_told(digits_root, tmp_path, monkeypatch):
    import gpu_programme

    few = tmp_path / 'few'
    few.mkdir()
    monkeypatch.setattr(sys, 'argv', arguments(few, tmp_path / 'out', 9))
    with pytest.raises(InputError, match=r'valid\.json'):
        gpu_programme.main()
    for name in ('train', 'train.json', 'valid', 'valid.json', 'test'):
        (few / name).symlink_to(digits_root / name)
    with pytest.raises(InputError, match=r'test\.json: no such file'):
        gpu_programme.main()
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
def test_a_rehearsal_that_is_stopped_and_started_again(digits_root, tmp_path):
    out = tmp_path / 'out'
    command = [sys.executable, *arguments(digits_root, out, 15)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as stopped:
        while len(stages_in(out)) < 2:
            assert stopped.poll() is None
            time.sleep(0.2)
        stopped.send_signal(signal.SIGTERM)
    assert stopped.returncode == 143
    before = stages_in(out)

    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    stages = stages_in(out)
    assert {stage['state'] for stage in stages.values()} == {'done'} and len(stages) == 13
    assert {name: stages[name] for name in before} == before
    for first, second in (('frcnn_tiny_synthetic', 64), ('frcnn_tiny', 48)):
        mixed, full = (stages[f'training: {first}, {precision}'] for precision in ('AMP', 'FP32'))
        assert mixed['steps'] == full['steps'] == mixed['last_logged_step'] == second // 8
        assert mixed['last_learning_rate'] < 1e-4  # of 1e-3
    check_results(out, stages)


def stages_in(out):
    """What is written of the stages so far."""
    file = out / 'results.json'
    return json.loads(file.read_text())['stages'] if file.is_file() else {}


def check_results(out, stages):
    """The pieces are the weights; the page has a row for each stage; no file is large."""
    weights = stages['weights']
    pieces = sorted(out.glob('frcnn_tiny.safetensors.*'))
    content = b''.join(piece.read_bytes() for piece in pieces)
    assert hashlib.sha256(content).hexdigest() == weights['sha256']
    assert len(pieces) == weights['pieces'] and len(content) == weights['bytes']
    files = {path.name: path.stat().st_size for path in out.iterdir() if path.is_file()}
    assert max(files.values()) < 2**24
    assert set(files) == {'results.json', 'results.md', *(piece.name for piece in pieces)}
    rows = rows_of((out / 'results.md').read_text())
    assert set(stages) | {'frcnn_tiny'} <= set(rows)
    accuracy = stages['test: frcnn_tiny, FP32']['number/accuracy']
    assert rows['frcnn_tiny, FP32'][2].startswith(f'{accuracy:.3f} (')
