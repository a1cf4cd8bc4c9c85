"""Every config must load, build, train a step and predict."""

import copy
import os
import re
from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, METRICS, MODELS, OPTIM_WRAPPERS, TRANSFORMS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.runner import set_random_seed

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = sorted(REPOSITORY.glob('configs/[!_]*/*.py'))


@pytest.fixture(scope='module', params=CONFIGS, ids=lambda path: path.stem)
def loaded_cfg(request, digits_root) -> Config:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DIGITS_DATA_ROOT', str(digits_root))
        return Config.fromfile(request.param)


@pytest.fixture
def cfg(loaded_cfg) -> Config:
    """A config that each test may change."""
    return copy.deepcopy(loaded_cfg)


@pytest.fixture(scope='module')
def built(loaded_cfg) -> torch.nn.Module:
    """The model of a config with random weights, made smaller: a CPU has to train it."""
    torch.manual_seed(0)
    config = copy.deepcopy(loaded_cfg.model)
    config.backbone.init_cfg = None
    shrink(config)
    model = MODELS.build(config)
    model.init_weights()
    return model


@pytest.fixture
def model(built) -> torch.nn.Module:
    """A model that each test may change."""
    return copy.deepcopy(built)


def shrink(model: ConfigDict) -> None:
    """Take few RoIs, and few layers of a transformer."""
    if 'roi_head' in model:
        rcnn = model.train_cfg.rcnn
        for stage in rcnn if isinstance(rcnn, list) else [rcnn]:  # of a cascade
            stage.sampler.num = 32
        model.train_cfg.rpn_proposal.max_per_img = 100
    for part in {'encoder', 'decoder'} & model.keys():
        model[part].num_layers = 2


def parts(dataset: ConfigDict) -> list[ConfigDict]:
    """The data sets that a data set is put together from, itself if it is not."""
    inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
    return [part for one in inner for part in parts(one)] or [dataset]


def test_there_are_configs():
    detectors = {'cascade_rcnn_r50', 'dino_r50', 'rtmdet_tiny'}
    assert {'frcnn_fp32', 'frcnn_amp', 'frcnn_tiny'} | detectors <= {path.stem for path in CONFIGS}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_a_short_diff_that_opens_with_its_command(path):
    lines = path.read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.lstrip().startswith('#')]
    assert len(code) <= 40
    assert f'#   python tools/train.py {path.relative_to(REPOSITORY)}' in lines[:5]


def test_dump_and_reload_give_the_same_config(cfg, tmp_path):
    path = tmp_path / 'dumped.py'
    cfg.dump(path)
    assert Config.fromfile(path).to_dict() == cfg.to_dict()


def test_default_data_root_is_data_digits(digits_root, monkeypatch):
    monkeypatch.delenv('DIGITS_DATA_ROOT', raising=False)
    for path in CONFIGS:
        cfg = Config.fromfile(path)
        splits = [cfg[f'{name}_dataloader'].dataset for name in ('train', 'val', 'test')]
        files = [part for split in splits for part in parts(split) if part.type == 'DigitsDataset']
        roots = {part.data_root for part in files}
        assert roots == {'data/digits'}


def test_classifiers_have_one_output_per_digit_and_with_rois_one_for_the_background(cfg, built):
    layers = [
        module
        for name, module in built.named_modules()
        if re.search(r'fc_cls$|(rtm_cls|cls_branches)\.\d+$', name)
    ]
    assert {len(layer.bias) for layer in layers} == {11 if 'roi_head' in cfg.model else 10}


def test_pipelines_never_flip_and_no_image_is_too_small(cfg):
    for part in parts(cfg.train_dataloader.dataset):
        assert not [step for step in part.pipeline if 'Flip' in step.type]
        if part.type == 'DigitsDataset':  # drawn scenes are all kept
            assert part.filter_cfg.min_size == 0


def test_every_image_gets_the_same_canvas(cfg):
    scales = {
        tuple(step.scale)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
        for part in parts(loader.dataset)
        for step in part.pipeline
        if step.type == 'CanvasResize'
    }
    assert len(scales) == 1


def test_evaluators_build_and_name_their_metrics(cfg):
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert [METRICS.build(metric).prefix for metric in evaluator][:2] == ['coco', 'number']


def test_train_step_lowers_the_loss_of_its_batch(cfg, model):
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    set_random_seed(0)  # some pipelines draw at random
    batch = pseudo_collate([dataset[0], dataset[1]])
    model.train()
    wrapper = dict(cfg.optim_wrapper)
    optimizer = wrapper.pop('optimizer')
    wrapper.pop('paramwise_cfg', None)
    sgd = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    assert optimizer['type'] in ('SGD', 'AdamW')
    if 'Amp' in wrapper['type']:
        wrapper['dtype'] = 'native'  # on a CPU without bfloat16 it takes minutes
    wrapper = OPTIM_WRAPPERS.build(dict(wrapper, optimizer=sgd))

    losses = []
    for _ in range(2):
        torch.manual_seed(0)  # the same anchors and RoIs are sampled each time
        logged = model.train_step(batch, optim_wrapper=wrapper)
        losses.append(float(logged['loss']))
    assert all(torch.isfinite(torch.tensor(losses)))
    if 'rtmdet' in cfg.filename:  # weighs its losses by how good boxes are, so at first they grow
        assert losses[-1] != losses[0]
    else:
        assert losses[-1] < losses[0]


def test_predict_step_returns_boxes_inside_the_original_image(cfg, model):
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    model.eval()
    if 'roi_head' in cfg.model:
        model.roi_head.test_cfg.score_thr = 0.0  # random weights: keep whatever scores
    if 'rtmdet' in cfg.filename:  # whose random boxes have no size
        for layer in model.bbox_head.rtm_reg:
            torch.nn.init.constant_(layer.bias, 1.0)
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([dataset[0]]))
    height, width = sample.ori_shape
    boxes = sample.pred_instances.bboxes
    assert len(boxes) > 0
    assert (boxes >= 0).all()
    assert (boxes[:, 0::2] <= width + 1e-3).all() and (boxes[:, 1::2] <= height + 1e-3).all()
    assert set(sample.pred_instances.labels.tolist()) <= set(range(10))
    assert len(sample.gt_instances) > 0  # the number metric compares with these


def test_ctrl_c_saves_a_checkpoint(cfg):
    assert [hook.type for hook in cfg.custom_hooks].count('GracefulStopHook') == 1


def test_every_transform_is_known(cfg):
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for part in parts(cfg[loader].dataset):
            for step in part.pipeline:
                assert TRANSFORMS.get(step.type) is not None, step.type


def test_environment_variable_is_not_left_behind():
    assert 'DIGITS_DATA_ROOT' not in os.environ
