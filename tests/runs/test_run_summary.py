import json

import pytest
from written_runs import CONFIG, LOG, lines, trained, validated, write_part, write_run

from mmdet_digits.errors import InputError
from mmdet_digits.runs.run_history import read_run, read_runs
from mmdet_digits.runs.run_summary import (
    EpochValue,
    epoch_seconds,
    find_best,
    find_differences,
    summarize_run,
)

PART = '20260102_030405'


def test_summary(tmp_path):
    summary = summarize_run(read_run(write_run(tmp_path / 'run', epochs=3, iters=40)))
    assert (summary.epochs, summary.images_seen) == (3, 3 * 40 * 8)
    assert summary.seconds_per_epoch == pytest.approx(40 * 0.5 + 13 * 0.25)
    assert (summary.peak_memory_mib, summary.memory_of) == (1120, 'process')
    assert summary.largest_batch is None
    assert summary.best['coco/bbox_mAP'] == EpochValue(0.3, 3)
    assert summary.best['val/loss'] == EpochValue(1.25, 3)
    assert 'digits/precision' not in summary.best


def test_what_is_not_known_is_none(tmp_path):
    record = {key: trained(1, 10)[key] for key in ('loss', 'time', 'epoch', 'iter', 'step')}
    write_part(tmp_path, PART, lines([record]), config='')
    summary = summarize_run(read_run(tmp_path))
    assert summary.images_seen is summary.seconds_per_epoch is summary.peak_memory_mib is None
    assert summary.memory_of is None and summary.best == {} and summary.epochs == 0


@pytest.mark.parametrize(
    ('records', 'log', 'seconds'),
    [
        # every iteration; every fifth, each standing for five; the last two not logged
        ([trained(1, n, time=n) for n in range(1, 6)], 5, {1: 15}),
        ([trained(1, 5, time=1.0), trained(1, 10, time=3.0)], 10, {1: 20}),
        ([trained(1, 5, time=1.0), trained(1, 10, time=3.0), trained(2, 17)], 12, {1: 24}),
        # an epoch that is not finished does not count
        ([trained(1, 10, time=1.0), trained(2, 15, time=9.0)], 10, {1: 10}),
        # with its validation of 4 batches
        ([trained(1, 10, time=1.0), validated(1, time=0.5)], 10, {1: 12}),
        # resumed after epoch 1, whose times are lost
        ([trained(2, 20, time=1.0), validated(2, time=0.5)], 10, {2: 12}),
    ],
)
def test_epoch_seconds(tmp_path, records, log, seconds):
    log = LOG.format(ranks=1, iters=log, val_iters=4)
    write_part(tmp_path, PART, lines(records), log=log)
    assert epoch_seconds(read_run(tmp_path)) == pytest.approx(seconds)


def test_time_of_a_validation_of_unknown_length_is_not_guessed(tmp_path):
    records = [trained(1, 10), trained(1, 20), validated(1), trained(2, 30), trained(2, 40)]
    write_part(tmp_path, PART, lines(records))
    assert list(epoch_seconds(read_run(tmp_path))) == [2]


@pytest.mark.parametrize(
    ('key', 'values', 'best'),
    [
        ('coco/bbox_mAP', [0.1, 0.3, 0.2], EpochValue(0.3, 2)),
        ('coco/bbox_mAP', [0.0, 0.0], EpochValue(0.0, 1)),
        ('coco/bbox_mAP', [-1.0], None),
        ('digits/precision', [0.5, 0.9, 0.9], EpochValue(0.9, 2)),
        ('val/loss', [0.5, float('nan'), 0.4, 0.6], EpochValue(0.4, 3)),
        ('val/loss', [float('nan')], None),
    ],
)
def test_best_is_the_first_best_of_what_is_known(tmp_path, key, values, best):
    records = [validated(epoch, **{key: value}) for epoch, value in enumerate(values, start=1)]
    write_part(tmp_path, PART, lines(records))
    assert find_best(read_run(tmp_path), key) == best


def test_memory_of_a_gpu(tmp_path):
    record = trained(1, 10, memory=5000)
    write_part(tmp_path / 'both', PART, lines([record]))
    del record['peak_memory']
    write_part(tmp_path / 'mmengine', PART, lines([record]))
    summaries = [summarize_run(read_run(tmp_path / name)) for name in ('both', 'mmengine')]
    assert [(s.peak_memory_mib, s.memory_of) for s in summaries] == [(1010, 'GPU'), (5000, 'GPU')]


def test_largest_batch_comes_from_the_folder_of_the_run(tmp_path):
    run = read_run(write_run(tmp_path / 'run'))
    path = tmp_path / 'run' / 'largest_batch.json'
    path.write_text(json.dumps({'largest_batch': 12, 'memory': '8GiB', 'device': 'x'}))
    assert summarize_run(run).largest_batch['largest_batch'] == 12
    for content in ('{"largest_batch": 12}', '[12]', '{'):
        path.write_text(content)
        with pytest.raises(InputError, match=r'largest_batch\.json'):
            summarize_run(run)


def test_a_metric_of_the_config_is_shown_and_does_not_make_the_runs_differ(tmp_path):
    own = CONFIG.replace('\n]', "\n    dict(type='Mine'),\n]")
    records = [trained(1, 10), validated(1, **{'mine/score': 0.5, 'plain': 1})]
    records += [trained(2, 20), validated(2, **{'mine/score': 0.25}), validated(3)]
    write_part(tmp_path / 'a', PART, lines(records), own)
    write_part(tmp_path / 'b', PART, lines([trained(1, 10), validated(1)]), CONFIG)
    runs = read_runs([tmp_path / 'a', tmp_path / 'b'])
    summaries = {name: summarize_run(run) for name, run in runs.items()}
    assert summaries['a'].last == {'mine/score': EpochValue(0.25, 2), 'plain': EpochValue(1, 1)}
    assert summaries['b'].last == {}
    assert find_differences(runs) == []


@pytest.mark.parametrize(
    ('metric', 'said'),
    [
        ("dict(type='NumberMetric')", 'default'),
        ("dict(type='NumberMetric', assembly='mine.json')", 'mine.json'),
        ("dict(type='NumberMetric', assembly=dict(iou_thr=0.3))", 'default with iou_thr=0.3'),
        ("dict(type='CocoMetric')", None),
    ],
)
def test_the_number_assembly_of_a_run_is_named(tmp_path, metric, said):
    config = CONFIG.replace("dict(type='NumberMetric')", metric)
    write_part(tmp_path / 'run', PART, lines([trained(1, 10)]), config)
    assert summarize_run(read_run(tmp_path / 'run')).number_assembly == said


def test_runs_that_were_validated_in_other_ways_are_told(tmp_path):
    other = CONFIG.replace("type='NumberMetric'", "assembly='system_b', type='NumberMetric'")
    for name, config in (('a', CONFIG), ('b', CONFIG), ('c', other)):
        write_part(tmp_path / name, PART, lines([trained(1, 10)]), config)
    assert find_differences(read_runs([tmp_path / 'a', tmp_path / 'b'])) == []
    (said,) = find_differences(read_runs([tmp_path / name for name in 'abc']))
    assert 'compare their figures with care' in said and 'system_b' in said
