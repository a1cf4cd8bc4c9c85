"""Variants change what they say and nothing else; a study runs once and adds up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction
from PIL import Image
from printed_tables import rows_of

from mmdet_digits.checks.config import resize_scales
from mmdet_digits.checks.config_files import read_config
from mmdet_digits.checks.preflight import check_options
from mmdet_digits.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
CONFIGS = ('frcnn_tiny', 'frcnn_fp32', 'frcnn_aug_cosine')


@pytest.fixture(scope='module', autouse=True)
def own_data_root():
    """Reading a config for a folder sets the variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DIGITS_DATA_ROOT', '')
        yield


@pytest.fixture(scope='module')
def configs(digits_root):
    return {name: read_config(f'configs/digits/{name}.py', str(digits_root)) for name in CONFIGS}


def varied(cfg, study, name):
    from variants import STUDIES, changed

    return changed(cfg, STUDIES[study].options(cfg, name))


def budget(cfg):
    train, test = cfg.model.train_cfg, cfg.model.test_cfg
    return train.rcnn.sampler.num, train.rpn_proposal.max_per_img, test.rpn.max_per_img


@pytest.mark.parametrize('config', CONFIGS)
def test_every_named_variant_is_accepted_and_the_config_stays(configs, config):
    from variants import STUDIES, as_arguments, changed

    cfg = configs[config]
    before = cfg.to_dict()
    for study in STUDIES.values():
        for name in study.names:
            options = study.options(cfg, name)
            arguments = as_arguments(cfg, options)
            parsed = dict(argument.split('=', 1) for argument in arguments)
            parsed = {key: DictAction._parse_iterable(value) for key, value in parsed.items()}
            assert check_options(cfg.to_dict(), parsed) == []
            plain = {key.lstrip('+'): value for key, value in parsed.items()}
            assert changed(cfg, plain).to_dict() == changed(cfg, options).to_dict()
    assert cfg.to_dict() == before


@pytest.mark.parametrize(('name', 'scale'), [('256x128', (256, 128)), ('1333x800', (1333, 800))])
@pytest.mark.parametrize('config', CONFIGS)
def test_resolutions_reach_every_loader(configs, config, name, scale):
    cfg = varied(configs[config], 'resolution', name)
    for loader in LOADERS:
        steps = [step for step in cfg[loader].dataset.pipeline if 'Resize' in step.type]
        assert [(step.type, step.scale) for step in steps] == [('CanvasResize', scale)]
        assert resize_scales(cfg[loader]) == [scale]


@pytest.mark.parametrize(
    ('study', 'name', 'expected'),
    [
        ('rois', '16', (16, 100, 50)),  # as configured
        ('rois', '64', (64, 128, 50)),
        ('rois', '512', (512, 1024, 50)),
        ('proposals', '20', (16, 100, 20)),
        ('proposals', '1000', (16, 100, 1000)),
        ('train_proposals', '20', (16, 20, 50)),
        ('peer', 'ours', (16, 100, 50)),
        ('peer', 'peer-rois', (512, 2000, 1000)),
        ('peer', 'peer-1333x800', (512, 2000, 1000)),
    ],
)
def test_budgets(configs, study, name, expected):
    # the laptop-size model has 16 RoIs of 100 proposals, and 50 proposals in testing
    own = configs['frcnn_tiny']
    own = Config(dict(model=own.model, **{loader: own[loader] for loader in LOADERS}))
    own.merge_from_dict(
        {
            'model.train_cfg.rcnn.sampler.num': 16,
            'model.train_cfg.rpn_proposal': dict(nms_pre=300, max_per_img=100),
            'model.test_cfg.rpn': dict(nms_pre=300, max_per_img=50),
        }
    )
    cfg = varied(own, study, name)
    assert budget(cfg) == expected
    for part in (cfg.model.train_cfg.rpn_proposal, cfg.model.test_cfg.rpn):
        assert part.nms_pre >= part.max_per_img


@pytest.mark.parametrize(
    ('study', 'name'),
    [
        *[('resolution', name) for name in ('192', '0x96', '192x96-max', '192x', '192x96-max2')],
        *[('rois', name) for name in ('0', '-4', 'many', '1.5')],
        *[('peer', name) for name in ('theirs', 'peer-', 'peer-0x1')],
    ],
)
def test_names_that_mean_nothing_are_errors(configs, study, name):
    with pytest.raises(InputError, match='no such variant'):
        varied(configs['frcnn_tiny'], study, name)


def test_a_shorter_run_ends_its_schedule(configs):
    from variants import changed, run_options

    cfg = configs['frcnn_tiny']
    short = changed(cfg, run_options(cfg, epochs=1, train_images=16))
    assert (short.train_cfg.max_epochs, short.train_cfg.val_interval) == (1, 1)
    assert short.param_scheduler[0].end == cfg.param_scheduler[0].end  # iterations
    assert short.param_scheduler[1].T_max == 1
    assert short.train_dataloader.dataset.indices == 16
    whole = changed(cfg, run_options(cfg, epochs=None, train_images=None))
    assert whole.train_cfg.max_epochs == cfg.train_cfg.max_epochs
    assert whole.param_scheduler[1].T_max == cfg.param_scheduler[1].T_max
    assert 'indices' not in whole.train_dataloader.dataset


def test_milestones_move_along():
    from variants import run_options

    cfg = dict(
        train_cfg=dict(max_epochs=30),
        default_hooks=dict(logger=dict(interval=10)),
        param_scheduler=[dict(type='MultiStepLR', milestones=[20, 25], end=30)],
    )
    options = run_options(cfg, epochs=6, train_images=None)
    assert options['param_scheduler.0.milestones'] == [4, 5]
    assert options['param_scheduler.0.end'] == 6


def test_equal_trainings_share_a_folder(digits_root, tmp_path):
    from variant_runs import Experiment
    from variants import STUDIES

    config = REPOSITORY / 'configs/digits/frcnn_tiny.py'
    one = Experiment(config, digits_root, tmp_path)
    cfg = one.read_config()
    own = one.training_of({})
    as_configured = str(cfg.model.train_cfg.rcnn.sampler.num)
    assert one.training_of(STUDIES['rois'].options(cfg, as_configured)) == own
    assert one.training_of(STUDIES['rois'].options(cfg, '512')) != own
    assert Experiment(config, digits_root, tmp_path, {'randomness.seed': 1}).training_of({}) != own
    assert not one.is_trained({})


def test_figures_and_knees():
    from tradeoffs import figures_of, find_knees, table_of

    def variant(training, prediction, accuracy):
        metrics = {
            'coco/bbox_mAP': 0.5,
            'coco/bbox_mAP_50': 0.9,
            'number/accuracy': accuracy,
            'images_per_second': 1000 / prediction,
        }
        return {
            'training_ms_per_image': training,
            'tests': {'digits': figures_of(metrics, 200)},
        }

    results = {
        'test_images': {'digits': 200},
        'variants': {'small': variant(10, 7, 0.90), 'large': variant(20, 5, 0.93)},
    }
    results['knees'] = find_knees(results, within=None)
    assert results['knees'] == {'digits': {'training': 'small', 'prediction': 'large'}}
    assert find_knees(results, within=0.01)['digits']['training'] == 'large'
    rows = rows_of(table_of(results))
    assert rows['small'] == ['10', '7', '0.500', '0.900', '0.900 (0.851-0.934)']
    for tested_only in results['variants'].values():
        tested_only['training_ms_per_image'] = None
    assert find_knees(results, None) == {'digits': {'prediction': 'large'}}
    results['knees'] = find_knees(results, None)
    assert rows_of(table_of(results))['large'][0] == '-'


def test_a_test_without_numbers_is_an_error():
    from tradeoffs import figures_of

    with pytest.raises(InputError, match='no number accuracy'):
        figures_of({'ann_file': 'test.json', 'coco/bbox_mAP': 0.5}, 200)


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, REPOSITORY / 'benchmarks/tradeoffs.py', *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['rois', '--variants', 'many'], "found:    'many'"),
        (['rois', 'frcnn_huge'], 'no such config'),
        (['rois', '--data-root', 'nowhere'], 'The data set is not there'),
        (['rois', '--cfg-options', 'model.backbone.depht=18'], 'depht'),
        (['rois', '--checkpoint', 'a.pth'], 'trains each variant'),
    ],
)
def test_bad_input_is_told_and_nothing_is_made(
    arguments, message, digits_root, tmp_path, monkeypatch, capsys
):
    import tradeoffs

    monkeypatch.chdir(tmp_path)
    root = [] if '--data-root' in arguments else ['--data-root', str(digits_root)]
    monkeypatch.setattr(sys, 'argv', ['tradeoffs.py', *arguments, *root])
    with pytest.raises((InputError, SystemExit)) as caught:
        tradeoffs.main()
    assert message in f'{caught.value}{capsys.readouterr().err}'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_study_is_done_once(digits_root, tmp_path):
    common = ['--data-root', digits_root, '--epochs', 1, '--train-images', 16, '--out', 'out']
    first = run('resolution', *common, '--variants', '128x64', '96x48', cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    rows = rows_of(first.stdout)
    assert {'128x64', 'height-48'} < set(rows) and '2 trainings to do' in first.stdout
    assert all(
        float(rows[name][0]) > 0 and float(rows[name][1]) > 0 for name in ('128x64', 'height-48')
    )
    found = json.loads((tmp_path / 'out/resolution.json').read_text())
    assert found['train_images'] == 16 and found['test_images'] == {'digits': 16}
    assert Image.open(tmp_path / 'out/resolution.png').size[0] > 1000
    again = run('resolution', *common, '--variants', '128x64', '96x48', cwd=tmp_path)
    assert 'Nothing to train' in again.stdout and rows_of(again.stdout) == rows
    tested = run('proposals', *common, '--variants', '20', '50', '--checkpoint',
                 found['variants']['128x64']['checkpoint'], cwd=tmp_path)  # fmt: skip
    assert tested.returncode == 0, tested.stderr
    assert set(rows_of(tested.stdout)) > {'20', '50'}
