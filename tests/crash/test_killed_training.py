"""A training that is killed again and again ends as one that is not. Bit for bit, on a CPU."""

import os
import random
import time

import pytest
import torch
from killed_runs import CONFIG, Training, durations, last_checkpoint, logged
from rich.console import Console
from rich.table import Table

KILLS = int(os.environ.get('CRASH_TEST_KILLS', 20))
PHASES = ('train', 'checkpoint', 'val', 'best')
SEED = 5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(torch.cuda.is_available(), reason='results of a GPU need not be equal'),
    pytest.mark.skipif(os.name != 'posix', reason='needs SIGKILL'),
]


@pytest.fixture
def config(tmp_path):
    """A config with more epochs than there are kills: each run is killed within its first two."""
    path = tmp_path / 'killed.py'
    path.write_text(CONFIG.format(epochs=KILLS + 6))
    return path


def test_killed_runs_end_as_one_that_is_not_killed(config, digits_root, tmp_path):
    straight = Training(config, digits_root, tmp_path / 'straight')
    straight.wait()
    usual = durations(straight.said)
    rng = random.Random(SEED)
    wanted = [PHASES[number % len(PHASES)] for number in range(KILLS)]
    rng.shuffle(wanted)

    table = Table('kill', 'within', 'epoch', 'iteration', 'after s', 'half-written', 'resumed from')
    run = Training(config, digits_root, tmp_path / 'killed')
    hit = 0
    while hit < KILLS:
        phase, skip = wanted[hit], rng.randrange(3) if wanted[hit] == 'train' else 0
        delay = rng.uniform(0, usual[phase])
        last = kill_within(run, phase, skip, delay)
        parts = [path.name for path in (tmp_path / 'killed').glob('.*.part')]
        expected = resumable_epochs(run.said)
        run = Training(config, digits_root, tmp_path / 'killed')
        resumed = next(run.listen()).epoch
        assert resumed in expected
        if last.begins and last.phase == phase:
            hit += 1
        number = str(hit) if last.begins and last.phase == phase else 'missed'
        where = last.phase if last.begins else f'after {last.phase}'
        moment = (str(last.epoch + 1), str(last.iteration), f'{delay:.3f}')
        table.add_row(number, where, *moment, ', '.join(parts), f'epoch {resumed}')
    run.wait()
    Console(width=100).print(table)
    assert_same_end(tmp_path / 'killed', tmp_path / 'straight')


def kill_within(run, phase, skip, delay):
    """Kill a run so long after a phase began, which it lets begin and end so often before."""
    for line in run.listen():
        if line.begins and line.phase == phase:
            if skip == 0:
                time.sleep(delay)
                return run.kill()
            skip -= 1
    raise AssertionError(f'the run ended without another {phase}: {run.log.read_text()[-3000:]}')


def resumable_epochs(said):
    """From which epochs a run may go on: that of the last whole checkpoint, or a later one.

    A checkpoint that was being written is whole if the kill came after its renaming.
    """
    started = said[0].epoch
    written = [line.epoch + 1 for line in said if line.phase == 'checkpoint' and not line.begins]
    begun = [line.epoch + 1 for line in said if line.phase == 'checkpoint' and line.begins]
    return {max([started, *written]), max([started, *begun])}


def assert_same_end(killed, straight):
    one, other = last_checkpoint(killed), last_checkpoint(straight)
    assert one['meta']['epoch'] == other['meta']['epoch'] == KILLS + 6
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        assert equal(one[key], other[key]), key
    bests = [end['message_hub']['runtime_info']['best_score'] for end in (one, other)]
    assert bests[0] == bests[1]
    steps, expected = logged(killed), logged(straight)
    assert steps.keys() == expected.keys()
    for step, lines in steps.items():
        for line in lines:  # those of iterations that a resume repeats, too
            assert line == expected[step][0], step


def equal(a, b):
    """Compare nested states exactly."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b
