import json
from types import SimpleNamespace

import pytest
from mmengine.config import Config, DictAction

from mmdet_digits.assembly.number_assembly import PRESETS, NumberAssembly
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.assembly_files import (
    assembly_beside,
    assembly_file,
    assembly_json,
    assembly_of,
    choose_assembly,
    config_line,
    config_options,
    describe_assembly,
    read_assembly,
    write_assembly_beside,
)
from mmdet_digits.evaluation.metrics.number_metric import NumberMetric
from mmdet_digits.repository import REPOSITORY

SETTINGS = [
    NumberAssembly(score_thr=0.35, iou_thr=None, order='axis'),
    NumberAssembly(class_agnostic=False, max_digits=4),
    *PRESETS.values(),
]


@pytest.mark.parametrize('setting', SETTINGS)
def test_files_and_config_lines_mean_the_setting(tmp_path, setting):
    path = tmp_path / 'assembly.json'
    path.write_text(assembly_json(setting))
    assert read_assembly(str(path)) == setting
    evaluator = eval(config_line(setting))
    assert NumberMetric(assembly=evaluator['assembly']).assembly == setting


@pytest.mark.parametrize('setting', SETTINGS)
@pytest.mark.parametrize('config', ['frcnn_tiny', 'frcnn_fp32'])
def test_options_change_the_metric_of_a_config(tmp_path, setting, config):
    path = tmp_path / 'assembly.json'
    path.write_text(assembly_json(setting))
    cfg = Config.fromfile(REPOSITORY / f'configs/digits/{config}.py')
    _, *options = config_options(path).split()
    parsed = SimpleNamespace(cfg_options={})
    DictAction(['--cfg-options'], 'cfg_options')(None, parsed, options)
    cfg.merge_from_dict({key.lstrip('+'): value for key, value in parsed.cfg_options.items()})
    evaluator = cfg.test_evaluator[1]
    assert evaluator.type == 'NumberMetric'
    assert NumberMetric(evaluator.assembly).assembly == setting


def test_a_preset_is_found_by_its_name_whatever_files_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'system_b').write_text(assembly_json(NumberAssembly(score_thr=0.1)))
    assert read_assembly('system_b') == PRESETS['system_b']
    assert read_assembly('./system_b') == NumberAssembly(score_thr=0.1)


@pytest.mark.parametrize(
    ('content', 'said'),
    [({'score': 0.5}, "did you mean 'score_thr'"), ({'iou_thr': 3}, 'iou_thr'), ([1], '1')],
)
def test_bad_files(tmp_path, content, said):
    path = tmp_path / 'mine.json'
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=said) as error:
        read_assembly(str(path))
    assert str(path) in str(error.value)


def test_neither_preset_nor_file():
    with pytest.raises(InputError, match='system_c: neither a preset nor a file'):
        read_assembly('system_c')


@pytest.mark.parametrize(
    ('cfg', 'iou_thr'),
    [
        (dict(test_evaluator=[dict(type='A'), dict(type='NumberMetric')]), 0.5),
        (dict(test_evaluator=dict(type='NumberMetric', assembly=dict(iou_thr=0.3))), 0.3),
        (dict(test_evaluator=dict(metrics=[dict(type='NumberMetric', assembly='system_b')])), 0.3),
        (dict(test_evaluator=dict(type='CocoMetric')), 0.5),
        (dict(test_evaluator=None), 0.5),
        (dict(), 0.5),
    ],
)
def test_assembly_of_a_config(cfg, iou_thr):
    assert assembly_of(cfg).iou_thr == iou_thr


@pytest.mark.parametrize('setting', SETTINGS)
@pytest.mark.parametrize('name', ['pred.json', 'pred.json.gz', 'run.1.pkl'])
def test_an_assembly_lies_beside_the_predictions(tmp_path, name, setting):
    pred = tmp_path / name
    assert assembly_beside(pred) is None
    write_assembly_beside(pred, setting)
    assert assembly_beside(pred) == setting
    assert [path.name for path in tmp_path.iterdir()] == [assembly_file(pred).name]


def test_predictions_of_one_folder_have_their_own(tmp_path):
    names = ['pred.json', 'other.json', 'pred.1.json', 'pred.2.json']
    assert len({assembly_file(tmp_path / name) for name in names}) == len(names)


def test_the_assembly_of_the_predictions_is_used_unless_another_is_asked_for(tmp_path):
    pred = tmp_path / 'pred.json'
    write_assembly_beside(pred, NumberAssembly(iou_thr=0.3))
    assembly, said = choose_assembly(None, pred)
    assert assembly == NumberAssembly(iou_thr=0.3)
    assert said == f'default with iou_thr=0.3 ({tmp_path}/pred.assembly.json)'
    assert choose_assembly('system_b', pred) == (PRESETS['system_b'], 'system_b (--assembly)')
    assert choose_assembly('default', pred)[0] == PRESETS['default']


def test_predictions_without_an_assembly_have_the_default(tmp_path):
    assembly, said = choose_assembly(None, tmp_path / 'pred.json')
    assert assembly == PRESETS['default']
    assert said == f'default (there is no {tmp_path}/pred.assembly.json)'


def test_assemblies_are_named_by_what_they_change():
    assert [describe_assembly(preset) for preset in PRESETS.values()] == [*PRESETS]
    changed = NumberAssembly(score_thr=0.4, order='axis')
    assert describe_assembly(changed) == 'default with score_thr=0.4, order=axis'
