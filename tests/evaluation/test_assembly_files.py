import json
from types import SimpleNamespace

import pytest
from mmengine.config import Config, DictAction

from mmdet_digits.cli import REPOSITORY
from mmdet_digits.evaluation.assembly_files import (
    assembly_json,
    assembly_of,
    config_line,
    config_options,
    read_assembly,
)
from mmdet_digits.evaluation.functional.number_assembly import PRESETS, NumberAssembly
from mmdet_digits.evaluation.metrics.number_metric import NumberMetric
from mmdet_digits.utils.errors import InputError

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


def test_presets():
    assert read_assembly('system_b') is PRESETS['system_b']


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
