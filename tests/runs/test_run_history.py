import subprocess
import sys

import pytest
from written_runs import CONFIG, LOG, lines, trained, validated, write_part, write_run

from mmdet_digits.errors import InputError
from mmdet_digits.runs.run_history import read_run, read_runs

FIRST, SECOND = '20260102_030405', '20260102_040506'


def test_run(tmp_path):
    run = read_run(write_run(tmp_path / 'run', epochs=3, iters=40))
    assert (run.epochs, run.iters_per_epoch, run.val_iters, run.batch_size) == (3, 40, 13, 8)
    assert list(run.iterations) == list(range(10, 121, 10))
    assert run.series('coco/bbox_mAP', 'validations') == {1: 0.1, 2: 0.2, 3: 0.3}
    assert run.series('loss')[20] == 0.1
    assert run.series('nothing') == {}
    assert run.memory()[120] == 1120
    assert run.epoch_at(60) == 1.5
    assert run.notes == ()


def test_reading_needs_no_torch():
    code = 'import sys, mmdet_digits.runs.run_summary; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_ranks_count_and_tests_do_not(tmp_path):
    log = LOG.format(ranks=4, iters=10, val_iters=2)
    write_part(tmp_path, FIRST, lines([trained(1, 10)]), log=log)
    tested = tmp_path / SECOND / f'{SECOND}.log'
    tested.parent.mkdir()
    tested.write_text('GPU number: 1\nEpoch(test) [10/99]\n')
    run = read_run(tmp_path)
    assert (run.batch_size, run.val_iters) == (32, 2)


@pytest.mark.parametrize(
    ('second', 'iterations', 'maps'),
    [
        # resumed with epoch 2, in the middle of it, from its end, and started all over again
        ([trained(2, 30), trained(2, 40)], {10: 1, 20: 1, 30: 2, 40: 2}, {1: 0.1}),
        ([trained(2, 40)], {10: 1, 20: 1, 30: 1, 40: 2}, {1: 0.1}),
        ([validated(2, **{'coco/bbox_mAP': 0.9})], {10: 1, 20: 1, 30: 1, 40: 1}, {1: 0.1, 2: 0.9}),
        ([trained(1, 10)], {10: 2}, {}),
    ],
)
def test_what_a_resumed_run_does_again_counts(tmp_path, second, iterations, maps):
    first = [trained(1, 10), trained(1, 20), validated(1)]
    first += [trained(2, 30), trained(2, 40), validated(2)]
    for part, (timestamp, records) in enumerate(((FIRST, first), (SECOND, second)), start=1):
        records = [record | {'part': part} for record in records]
        write_part(tmp_path, timestamp, lines(records))
    run = read_run(tmp_path)
    assert run.series('part') == iterations
    assert run.series('coco/bbox_mAP', 'validations') == maps
    assert len(run.notes) == ('iter' in second[0])
    if run.notes:
        assert f'{SECOND}/vis_data/scalars.json: goes on from iteration' in run.notes[0]


def test_half_a_last_line_is_left_out_and_said(tmp_path):
    text = lines([trained(1, 10), trained(1, 20), validated(1)])
    path = write_part(tmp_path, FIRST, text[: -len(text) // 10])
    run = read_run(tmp_path)
    assert list(run.iterations) == [10, 20] and not run.validations
    assert run.notes == (f'{path}: line 3, the last, is cut off and was left out',)


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('{"loss": 1.0, "step', 'not a record'),
        ('[1, 2]', 'not a record'),
        ('{"loss": 1.0}', 'not a record'),
        ('{"iter": "20", "epoch": 1, "step": 20}', 'not a record'),
        ('{"iter": 20, "step": 20}', 'does not count epochs'),
    ],
)
def test_a_broken_line_in_the_middle_is_named(tmp_path, line, said):
    text = lines([trained(1, 10)]) + line + '\n' + lines([trained(1, 30)])
    path = write_part(tmp_path, FIRST, text)
    with pytest.raises(InputError) as error:
        read_run(tmp_path)
    assert str(error.value).startswith(f'{path}, line 2: ') and said in str(error.value)


def test_what_is_not_finite_or_not_there_has_no_value(tmp_path):
    nan = float('nan')
    records = [trained(1, 10), trained(1, 20, loss=nan), trained(1, 30, loss=nan)]
    records.append(validated(1, **{'coco/bbox_mAP_l': -1.0, 'val/loss': nan, 'x': None, 'y': 'z'}))
    write_part(tmp_path, FIRST, lines(records))
    run = read_run(tmp_path)
    assert run.series('loss') == {10: 0.2}
    for key in ('coco/bbox_mAP_l', 'val/loss', 'x', 'y'):
        assert run.series(key, 'validations') == {}
    assert run.notes == (f'{tmp_path}: the training loss is not finite from iteration 20 on',)


def test_averaged_validation_losses_are_said(tmp_path):
    averaging = CONFIG.replace('^(?!val/)', '')
    write_part(tmp_path / 'one', FIRST, lines([validated(1)]), averaging)
    write_part(tmp_path / 'two', FIRST, lines([validated(1), validated(2)]), averaging)
    assert read_run(tmp_path / 'one').notes == ()
    assert 'its mean over the validations so far' in read_run(tmp_path / 'two').notes[0]


@pytest.mark.parametrize(
    ('records', 'checkpoint', 'iters', 'epochs'),
    [
        ([trained(1, 10), trained(1, 20)], None, None, 0),
        ([trained(1, 10), trained(1, 20)], 'epoch_1.pth', None, 1),
        ([trained(1, 10)], 'epoch_7.pth', None, 0),  # left by an earlier run
        ([trained(1, 10), trained(2, 33)], None, 23, 1),
        ([trained(1, 10), trained(2, 33), trained(2, 43), trained(2, 46)], None, 23, 2),
        ([trained(1, 10), trained(3, 56), validated(2)], None, None, 2),
    ],
)
def test_epochs_without_a_log(tmp_path, records, checkpoint, iters, epochs):
    write_part(tmp_path, FIRST, lines(records))
    if checkpoint:
        (tmp_path / 'last_checkpoint').write_text(f'/somewhere/{checkpoint}')
    run = read_run(tmp_path)
    assert (run.iters_per_epoch, run.epochs) == (iters, epochs)
    assert run.epoch_at(max(run.iterations)) > 0


def test_validations_outside_a_training_and_lost_configs(tmp_path):
    path = write_part(tmp_path, FIRST, lines([trained(1, 10), validated(0)]))
    path.with_name('config.py').unlink()
    run = read_run(tmp_path)
    assert run.validations == {} and run.batch_size is None


@pytest.mark.parametrize(
    ('name', 'found', 'fix'),
    [
        ('nowhere', 'nothing', 'correct the path'),
        ('file', 'a file', 'correct the path'),
        ('folder', 'no TIMESTAMP/vis_data/scalars.json', 'give the --work-dir'),
        ('empty', '1 x vis_data/scalars.json, all empty', 'wait'),
        ('.', 'a folder of runs', 'empty, '),
        (f'run/{FIRST}', 'one TIMESTAMP folder', 'give the run: '),
    ],
)
def test_what_is_no_run_is_told_with_the_fix(tmp_path, name, found, fix):
    (tmp_path / 'file').touch()
    (tmp_path / 'folder').mkdir()
    write_part(tmp_path / 'empty', FIRST, '')
    write_run(tmp_path / 'run')
    with pytest.raises(InputError) as error:
        read_run(tmp_path / name)
    assert str(error.value).startswith(f'{tmp_path / name}: no run to read.')
    assert found in error.value.found and fix in error.value.fix


@pytest.mark.parametrize('names', [None, ['a'], ['a', 'b', 'c'], ['a', 'a']])
def test_each_run_needs_a_name_of_its_own(tmp_path, names):
    runs = [write_run(tmp_path / parent / 'run') for parent in 'xy']
    with pytest.raises(InputError, match='as many different names as runs'):
        read_runs(runs, names)
    assert list(read_runs(runs, ['a', 'b'])) == ['a', 'b']
    assert list(read_runs(runs[:1])) == ['run']
