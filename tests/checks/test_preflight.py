import pytest

from mmdet_digits.checks.data import Split
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.checks.preflight import (
    as_skipped,
    check_options,
    config_paths,
    missing_data,
    unread_keys,
)

CFG = dict(
    max_epochs=30,
    train_cfg=dict(max_epochs=30),
    optim_wrapper=dict(optimizer=dict(lr=0.1, momentum=0.9)),
    train_dataloader=dict(dataset=dict(pipeline=[dict(type='Load'), dict(type='Resize')])),
)


def test_config_paths_go_through_dicts_and_lists():
    assert 'train_dataloader.dataset.pipeline.1.type' in set(config_paths(CFG))


@pytest.mark.parametrize(
    'path',
    [
        'optim_wrapper.optimizer.lr',
        'optim_wrapper',
        'train_dataloader.dataset.pipeline.1.type',
        '+optim_wrapper.optimizer.nesterov',
        '+custom_hooks',
    ],
)
def test_paths_that_exist_or_are_added_on_purpose_pass(path):
    assert check_options(CFG, {path: 1}) == []


@pytest.mark.parametrize(
    ('path', 'nearest'),
    [
        ('optim_wrapper.optimizer.lrr', 'optim_wrapper.optimizer.lr'),
        ('optim_wraper.optimizer.lr', 'optim_wrapper.optimizer.lr'),
        ('optimizer.lr', 'optim_wrapper.optimizer.lr'),
        ('train_cfg.max_epoch', 'train_cfg.max_epochs'),
        ('train_dataloader.dataset.pipeline.7.type', 'train_dataloader.dataset.pipeline.1.type'),
    ],
)
def test_unknown_path_names_the_nearest(path, nearest):
    (finding,) = check_options(CFG, {path: 1})
    assert path in finding.name
    assert nearest in finding.expected
    assert f'+{path}=1' in finding.fix


def test_option_that_would_change_nothing_names_what_is_read():
    (finding,) = check_options(CFG, {'max_epochs': 3})
    assert 'would change nothing' in finding.name
    assert 'train_cfg.max_epochs=3' in finding.fix


def test_every_wrong_option_is_found_at_once():
    assert len(check_options(CFG, {'a.b': 1, 'max_epochs': 2, 'train_cfg.max_epochs': 3})) == 2


@pytest.mark.parametrize(
    ('source', 'suspicious', 'unread'),
    [
        ("load_from = 'x'", [], []),
        ("load_form = 'x'", ['load_form'], []),
        ('train_dataloder = dict()', ['train_dataloder'], []),
        ('train_pipeline = []\ntrain_dataloader = dict(dataset=train_pipeline)', [], []),
        ('epochs = 3\nx = {{_base_.epochs}}', [], ['x']),
        ("remark = 'hello'  # remark", [], ['remark']),
        ('launchr = 1\nlaunchr = 2', ['launchr'], []),
    ],
)
def test_top_level_keys(source, suspicious, unread):
    keys = {line.split(' = ')[0]: None for line in source.splitlines()}
    findings, others = unread_keys(keys, source)
    assert [finding.found for finding in findings] == suspicious
    assert others == unread


def test_names_of_a_dumped_config_are_not_taken_for_misspelt_keys():
    pipeline = [dict(type='Load')]
    keys = dict(test_pipeline=pipeline, test_dataloader=dict(dataset=dict(pipeline=pipeline)))
    text = 'test_pipeline = []\ntest_dataloader = dict()'
    assert unread_keys(keys, text)[0] == []
    changed_by_option = dict(keys, test_pipeline=[dict(type='Load', to_float32=True)])
    assert unread_keys(changed_by_option, text)[0] == []


def loader(root, ann_file, img):
    return dict(dataset=dict(data_root=str(root), ann_file=ann_file, data_prefix=dict(img=img)))


def test_missing_files_are_listed_together_with_the_command_that_makes_them(tmp_path):
    (tmp_path / 'train').mkdir()
    (finding,) = missing_data(
        dict(
            train_dataloader=loader(tmp_path, 'train.json', 'train/'),
            val_dataloader=loader(tmp_path, 'valid.json', 'valid/'),
        )
    )
    for missing in ('train.json', 'valid.json', 'valid'):
        assert str(tmp_path / missing) in finding.found
    assert f'{tmp_path / "train"} ' not in finding.found
    assert 'python tools/prepare_data.py synthetic' in finding.fix


def test_complete_data_gives_no_finding(tmp_path):
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train.json').write_text('{}')
    wrapped = dict(dataset=dict(type='RepeatDataset', **loader(tmp_path, 'train.json', 'train/')))
    assert missing_data(dict(train_dataloader=wrapped)) == []


@pytest.mark.parametrize(
    ('name', 'status', 'expected'),
    [
        ('train: unreadable images', 'fail', 'warn'),
        ('train 2: unreadable images', 'fail', 'warn'),
        ('train: boxes', 'ok', 'ok'),
        ('val: unreadable images', 'fail', 'fail'),
        ('between splits: same image in train and val', 'fail', 'fail'),
    ],
)
def test_a_data_set_that_skips_what_is_broken_has_no_failures(name, status, expected, tmp_path):
    cfg = {
        'train_dataloader': dict(dataset=dict(ann_file='train.json', on_broken='skip')),
        'val_dataloader': dict(dataset=dict(ann_file='val.json')),
    }
    splits = dict.fromkeys(['train', 'train 2', 'val'], Split(tmp_path / 'x.json', tmp_path))
    found = as_skipped(Check(name, Status(status), 'found'), cfg, splits)
    assert found == Check(name, Status(expected), 'found')
