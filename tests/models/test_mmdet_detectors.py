"""What the configs of mmdet's other detectors promise, beyond tests/test_configs.py."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, LOOPS, MODELS, OPTIM_WRAPPERS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import ValLoop

from mmdet_digits.engine.predict_with_loss import predict_with_loss, scale_ground_truth

CONFIGS = Path(__file__).parents[2] / 'configs/untested'


def load(name: str, digits_root: Path, monkeypatch) -> Config:
    """A config at a quarter of its pixels, with a shallow backbone and transformer."""
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    for split in ('train', 'val'):
        for step in cfg[f'{split}_dataloader'].dataset.pipeline:
            if step.type == 'CanvasResize':
                step.scale = (160, 80)
    cfg.model.backbone.init_cfg = None
    if cfg.model.backbone.type == 'ResNet':
        cfg.model.backbone.depth = 18
        cfg.model.neck.in_channels = [64, 128, 256, 512][-len(cfg.model.neck.in_channels) :]
    for part in {'encoder', 'decoder'} & cfg.model.keys():
        cfg.model[part].num_layers = 1
    return cfg


def build(cfg: Config) -> torch.nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


@pytest.mark.parametrize('name', ['cascade_rcnn_r50', 'dino_r50', 'rtmdet_tiny'])
def test_mixed_precision_trains(name, digits_root, monkeypatch):
    cfg = load(name, digits_root, monkeypatch)
    model = build(cfg).train()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    wrapper = OPTIM_WRAPPERS.build(dict(type='PortableAmpOptimWrapper', optimizer=optimizer))
    before = [parameter.detach().clone() for parameter in model.neck.parameters()]
    losses = model.train_step(pseudo_collate([dataset[0], dataset[1]]), wrapper)
    assert all(torch.isfinite(torch.as_tensor(loss)).all() for loss in losses.values())
    changed = zip(model.neck.parameters(), before, strict=True)
    assert any((parameter != old).any() for parameter, old in changed)


@pytest.mark.parametrize('name', ['cascade_rcnn_r50', 'rtmdet_tiny'])
def test_validation_measures_the_losses_of_training(name, digits_root, monkeypatch):
    cfg = load(name, digits_root, monkeypatch)
    assert cfg.val_cfg.type == 'ValLossLoop'
    model = build(cfg)
    train, valid = (
        DATASETS.build(cfg[f'{split}_dataloader'].dataset) for split in ('train', 'val')
    )
    wrapper = OPTIM_WRAPPERS.build(
        dict(type='OptimWrapper', optimizer=torch.optim.SGD(model.parameters(), lr=1e-3))
    )
    trained = model.train().train_step(pseudo_collate([train[0]]), wrapper)
    batch = pseudo_collate([valid[0]])
    with torch.no_grad():
        torch.manual_seed(1)
        (sample,), losses = predict_with_loss(model.eval(), batch, share_proposals=False)
        (predicted,) = model.val_step(batch)
        data = model.data_preprocessor(batch)
        torch.manual_seed(1)
        plain = model.loss(data['inputs'], [scale_ground_truth(s) for s in data['data_samples']])
    assert {key for key in trained if 'loss' in key} == {key for key in losses if 'loss' in key}
    plain = model.parse_losses(plain)[1]
    assert losses == plain and all(torch.isfinite(loss) for loss in losses.values())
    for key in ('bboxes', 'scores', 'labels'):
        assert torch.equal(sample.pred_instances[key], predicted.pred_instances[key])


def test_a_detector_with_a_loss_of_its_own_keeps_it(digits_root, monkeypatch):
    cfg = load('rtmdet_tiny', digits_root, monkeypatch)
    model = build(cfg).eval()

    class Own(type(model)):
        def loss(self, inputs, samples):
            return {**super().loss(inputs, samples), 'loss_own': inputs.new_ones(())}

    model.__class__ = Own
    batch = pseudo_collate([DATASETS.build(cfg.val_dataloader.dataset)[0]])
    with torch.no_grad():
        (sample,), losses = predict_with_loss(model, batch)
    assert losses['loss_own'] == 1 and losses['loss'] > 1
    assert 'pred_instances' in sample


def test_dino_is_validated_without_losses(digits_root, monkeypatch):
    cfg = load('dino_r50', digits_root, monkeypatch)
    assert LOOPS.get(cfg.val_cfg.type) is ValLoop and set(cfg.val_cfg) == {'type'}


def test_the_narrowest_image_has_positions_for_all_queries_of_dino(digits_root, monkeypatch):
    cfg = load('dino_r50', digits_root, monkeypatch)
    model = build(cfg).eval()
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    sample = dataset[0]
    sample['inputs'] = torch.zeros(3, 1, 320, dtype=torch.uint8)
    sample['data_samples'].set_metainfo(
        dict(ori_shape=(1, 320), img_shape=(1, 320), scale_factor=(1.0, 1.0))
    )
    with torch.no_grad():
        (found,) = model.test_step(pseudo_collate([sample]))
    assert len(found.pred_instances) == 100
