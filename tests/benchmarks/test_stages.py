"""Stages share the time there is, end when theirs is over, and are done once."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmdet_digits.errors import InputError, RunError

HERE = Path(__file__).parent


def stage(name, least, most=math.inf, weight=0.0, rank=0):
    from stages import Stage

    return Stage(name, dict, least, most, weight, rank)


@pytest.mark.parametrize(
    ('stages', 'seconds', 'expected'),
    [
        ([], 10, {}),
        ([('a', 5)], 4, {}),
        ([('a', 5)], 5, {'a': 5}),
        ([('a', 5)], 9, {'a': 9}),
        ([('a', 5, 7)], 9, {'a': 7}),
        ([('a', 5), ('b', 3)], 7, {'a': 7}),  # what comes last goes without
        ([('a', 5), ('b', 3)], 8, {'a': 5, 'b': 3}),
        ([('a', 5), ('b', 3)], 10, {'a': 7, 'b': 5}),  # either is lent what is left
        ([('train', 5, math.inf, 1), ('test', 3)], 20, {'train': 17, 'test': 15}),
        (
            [('amp', 5, math.inf, 1), ('fp32', 5, math.inf, 2), ('test', 3, 6)],
            43,
            {'amp': 15, 'fp32': 25, 'test': 6},
        ),
        ([('peer', 4, 9, 0, 1), ('own', 4)], 7, {'own': 7}),  # a higher rank goes without
        ([('peer', 4, 9, 0, 1), ('own', 4)], 8, {'peer': 4, 'own': 8}),  # in their order
        ([('own', 4, 20), ('peer', 4, 9, 0, 1)], 10, {'own': 10, 'peer': 6}),  # and is lent less
        ([('a', 5)], -1, {}),
    ],
)
def test_time_is_shared(stages, seconds, expected):
    from stages import share_time

    shares = share_time([stage(*values) for values in stages], seconds)
    assert [*((s.name, share) for s, share in shares.items())] == [*expected.items()]


def test_nobody_is_lent_what_others_need_at_least():
    from stages import share_time

    stages = [stage('a', 5), stage('b', 10, weight=1), stage('c', 20, weight=3), stage('d', 1)]
    for seconds in (36, 50, 1000):
        shares = {s.name: share for s, share in share_time(stages, seconds).items()}
        for one in stages:
            others = sum(other.least for other in stages if other is not one)
            assert one.least <= shares[one.name] <= seconds - others
        assert shares['b'] + shares['c'] + 6 == pytest.approx(seconds)


def test_a_command_whose_time_is_over_ends_with_all_it_has_started(tmp_path):
    from stages import output_of

    code = (
        'import subprocess, sys; child = subprocess.Popen(["sleep", "60"]);'
        'print(child.pid, flush=True); child.wait()'
    )
    began = time.monotonic()
    with pytest.raises(RunError, match='Its time was over'):
        output_of([sys.executable, '-c', code], tmp_path, seconds=2)
    assert time.monotonic() - began < 10
    assert is_over(int((tmp_path / 'stdout.txt').read_text()))


def is_over(process):
    """Whether a process has ended, now or soon."""
    for _ in range(50):
        try:
            state = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0]
        except FileNotFoundError:
            return True
        if state == 'Z':  # it waits for whoever started it
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not Path('/proc/self/stat').is_file(), reason='finds processes in /proc')
def test_a_killed_programme_goes_on_where_it_was(tmp_path):
    out = tmp_path / 'out'
    paths = os.pathsep.join([str(HERE.parents[1] / 'benchmarks'), str(HERE.parents[1])])
    command = [sys.executable, HERE / 'small_programme.py', out]
    environment = os.environ | {'PYTHONPATH': paths}
    with subprocess.Popen(command, env=environment) as programme:
        wait_until(lambda: begun(out) == ['first', 'long'] and children_of(programme.pid))
        stage_process, *_ = children_of(programme.pid)
        programme.kill()
        os.killpg(stage_process, signal.SIGKILL)
    first = json.loads((out / 'results.json').read_text())['stages']
    assert list(first) == ['first'] and (out / 'results.md').read_text() == 'first'

    (out / 'hurry').touch()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert begun(out) == ['first', 'long', 'long', 'failing', 'last']
    stages = json.loads((out / 'results.json').read_text())['stages']
    assert stages['first'] == first['first']
    states = {name: stage['state'] for name, stage in stages.items()}
    assert states == dict(first='done', long='done', failing='failed', last='done')
    assert 'status 3' in stages['failing']['message']
    assert stages['failing']['message'].endswith('no such thing')
    assert 'no such thing' in done.stdout

    subprocess.run(command, env=environment, check=True)  # what has failed is tried again
    assert begun(out)[5:] == ['failing']


def begun(out):
    """The stages that have begun."""
    file = out / 'begun.txt'
    return file.read_text().split() if file.is_file() else []


def children_of(process):
    """The processes that a process has started."""
    return [*map(int, Path(f'/proc/{process}/task/{process}/children').read_text().split())]


def wait_until(condition, seconds=60):
    """Wait for a condition, not for ever."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_results_of_other_settings_are_not_gone_on_with(tmp_path):
    from stages import Record

    def page(settings, stages):
        return ''

    Record(tmp_path, dict(sizes='tiny'), page).add('one', dict(state='done', found=1))
    assert Record(tmp_path, dict(sizes='tiny'), page).found('one')['found'] == 1
    with pytest.raises(InputError, match='another programme'):
        Record(tmp_path, dict(sizes='full'), page)
