from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.config import Config

from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.keys import accepted_keys, check_keys, typed_dicts
from mmdet_digits.evaluation.metrics.digits_coco_metric import DigitsCocoMetric

OURS = sorted(Path(__file__).resolve().parents[2].glob('configs/[!_]*/*.py'))
MMDETS = [
    Path(mmdet.__file__).parent / '.mim/configs' / name
    for name in (
        'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        'retinanet/retinanet_r50_fpn_1x_coco.py',
        'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py',
        'dcnv2/faster-rcnn_r50-mdconv-c3-c5_fpn_1x_coco.py',
        'detr/detr_r50_8xb2-150e_coco.py',
        'queryinst/queryinst_r50_fpn_1x_coco.py',
        'vfnet/vfnet_r50_fpn_1x_coco.py',
        'yolox/yolox_s_8xb8-300e_coco.py',
        'albu_example/mask-rcnn_r50_fpn_albu-1x_coco.py',
    )
]


@pytest.mark.parametrize('path', OURS + MMDETS, ids=lambda path: path.stem)
def test_no_alarm_for_configs_that_are_right(path):
    (check,) = check_keys(Config.fromfile(path).to_dict())
    assert check.status is Status.OK


@pytest.mark.parametrize(
    ('path', 'owner', 'nearest'),
    [
        ('model.rpn_heads', 'FasterRCNN', 'rpn_head,'),
        ('model.roi_head.bbox_head.num_clases', 'Shared2FCBBoxHead', 'num_classes,'),
        ('model.roi_head.bbox_roi_extractor.roi_layer.samplng_ratio', 'RoIAlign', 'sampling_ratio'),
        ('model.test_cfg.rcnn.nms.iou_thresh', 'nms', 'iou_threshold'),
        ('train_dataloader.batchsize', 'DataLoader', 'batch_size'),
        ('train_dataloader.dataset.filter_config', 'DigitsDataset', 'filter_cfg'),
        ('train_dataloader.dataset.pipeline.2.pad_value', 'CanvasResize', 'pad_val'),
        ('train_dataloader.sampler.shufle', 'DefaultSampler', 'shuffle'),
        ('val_evaluator.0.class_wise', 'DigitsCocoMetric', 'classwise'),
        ('val_evaluator.1.assembley', 'NumberMetric', 'assembly'),
        ('optim_wrapper.clip_grads', 'OptimWrapper', 'clip_grad'),
        ('optim_wrapper.optimizer.weigth_decay', 'AdamW', 'weight_decay'),
        ('param_scheduler.0.start_fctor', 'LinearLR', 'start_factor'),
        ('val_cfg.share_proposal', 'ValLossLoop', 'share_proposals'),
        ('default_hooks.logger.intervall', 'LoggerHook', 'interval'),
    ],
)
def test_misspelt_key_names_the_nearest(cfg, path, owner, nearest):
    cfg.merge_from_dict({path: 1})
    (check,) = check_keys(cfg.to_dict())
    assert check.status is Status.FAIL
    assert check.name == f'{owner} has no argument {path.rpartition(".")[2]}.'
    assert check.found == f'{path}=1'
    assert nearest in check.expected


def test_every_misspelt_key_is_found_at_once(cfg):
    cfg.merge_from_dict({'model.rpn_heads': 1, 'model.necks': 1, 'train_cfg.epochs': 1})
    assert len(check_keys(cfg.to_dict())) == 3


@pytest.mark.parametrize(
    ('path', 'name', 'nearest'),
    [
        ('val_evaluator.1.type', 'NumbersMetric', 'NumberMetric'),
        ('model.type', 'FasterRCCN', 'FasterRCNN'),
        ('optim_wrapper.optimizer.type', 'AdmW', 'AdamW'),
    ],
)
def test_unknown_class_names_the_nearest(cfg, path, name, nearest):
    cfg.merge_from_dict({path: name})
    (check,) = check_keys(cfg.to_dict())
    assert check.name == f'No class is named {name}.'
    assert check.expected.startswith(f'{nearest},')


def test_classes_of_packages_that_are_not_here_are_left_alone(cfg):
    cfg.model.backbone.type = 'mmpretrain.ConvNeXt'
    assert check_keys(cfg.to_dict())[0].status is Status.OK


def test_names_that_only_the_file_uses_are_not_looked_at():
    assert check_keys(dict(settings=dict(type='ResNet', dept=3)))[0].status is Status.OK


class Own:
    def __init__(self, a, *, b=1):
        pass


class Passing(Own):
    def __init__(self, c, **kwargs):
        super().__init__(**kwargs)


class Inheriting(Passing):
    pass


class Anything:
    def __init__(self, **kwargs):
        pass


def function(x, y=1):
    pass


@pytest.mark.parametrize(
    ('target', 'expected'),
    [
        (Own, {'a', 'b'}),
        (Passing, {'a', 'b', 'c'}),
        (Inheriting, {'a', 'b', 'c'}),
        (Anything, None),
        (function, {'x', 'y'}),
        (dict, None),
    ],
)
def test_accepted_keys(target, expected):
    assert accepted_keys(target) == expected


def test_keyword_arguments_reach_the_base_class():
    assert accepted_keys(DigitsCocoMetric) >= accepted_keys(CocoMetric)


def test_typed_dicts_know_what_is_built_without_a_type():
    cfg = dict(val_cfg={}, hooks=[dict(type='A'), dict(b=dict(type=torch.nn.ReLU))])
    assert [path for path, _ in typed_dicts(cfg)] == ['val_cfg', 'hooks.0', 'hooks.1.b']
