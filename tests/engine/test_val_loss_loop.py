"""The validation loss is the loss, costs no second pass, and leaves no trace in the training."""

import copy
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mps_tensors import on_mps
from tiny_runs import build_runner, tiny_cfg
from val_loss_rank import exhaustive_cfg, validate_rank

from mmdet_digits.engine.loops import val_loss_loop
from mmdet_digits.engine.loops.val_loss_loop import check_ground_truth
from mmdet_digits.engine.randomness import VALIDATION_STEP, preserved_randomness, seed_from
from mmdet_digits.errors import InputError

LOSSES = {'loss', 'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'acc'}


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    return tiny_cfg(tmp_path, images=6)


def randomness():
    """The next numbers of each generator, which are put back."""
    with preserved_randomness():
        return random.random(), np.random.rand(), torch.rand(()).item()


@torch.no_grad()
def plain_losses(runner, cfg):
    """The losses of a pass of their own, with boxes that the pipeline itself has resized."""
    load, resize, annotations, pack = copy.deepcopy(cfg.val_dataloader.dataset.pipeline)
    loader = copy.deepcopy(cfg.val_dataloader)
    loader.dataset.pipeline = [load, annotations, resize, pack]
    if cfg.val_cfg.get('share_proposals', True):
        runner.model.train_cfg.rpn_proposal = runner.model.test_cfg.rpn
    sums, images = defaultdict(float), 0
    for idx, batch in enumerate(Runner.build_dataloader(loader)):
        data = runner.model.data_preprocessor(batch, False)
        seed_from(VALIDATION_STEP, runner.seed, idx, 0)
        losses = runner.model.loss(data['inputs'], data['data_samples'])
        for name, value in runner.model.parse_losses(losses)[1].items():
            sums[name] += value.item() * len(batch['inputs'])
        images += len(batch['inputs'])
    return {f'val/{name}': value / images for name, value in sums.items()}


@pytest.mark.parametrize('share_proposals', [True, False])
def test_equals_a_plain_loss_pass(cfg, share_proposals):
    cfg.val_cfg.share_proposals = share_proposals
    runner = build_runner(cfg)
    metrics = runner.val_loop.run()
    expected = plain_losses(runner, cfg)
    assert set(expected) == {f'val/{name}' for name in LOSSES}
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, abs=1e-5), name
    assert metrics['val/loss'] == pytest.approx(
        sum(metrics[f'val/{name}'] for name in LOSSES - {'loss', 'acc'}), abs=1e-5
    )


def test_predictions_and_metrics_are_those_of_the_plain_loop(cfg):
    cfg.model.test_cfg.rcnn.score_thr = 0.0  # random weights
    runner = build_runner(cfg)
    found = []
    evaluator = runner.val_loop.evaluator
    evaluator.process = lambda data_samples, data_batch: found.extend(data_samples)
    evaluator.evaluate = lambda size: {}
    assert set(runner.val_loop.run()) == {f'val/{name}' for name in LOSSES}
    with torch.no_grad():
        plain = [s for batch in runner.val_dataloader for s in runner.model.val_step(batch)]
    for ours, theirs in zip(found, plain, strict=True):
        assert torch.equal(ours.gt_instances.bboxes, theirs.gt_instances.bboxes)  # still original
        assert len(ours.pred_instances) > 0
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(ours.pred_instances[key], theirs.pred_instances[key])


def test_metrics_stand_beside_the_losses_and_can_choose_the_best(cfg):
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.update(save_best='val/loss', rule='less')
    runner = Runner.from_cfg(cfg)
    runner.train()
    (log,) = Path(cfg.work_dir).glob('*/vis_data/scalars.json')
    metrics = json.loads(log.read_text().splitlines()[-1])
    assert {'val/loss', 'val/loss_cls', 'coco/bbox_mAP', 'number/accuracy'} <= set(metrics)
    assert runner.message_hub.get_info('best_score') == pytest.approx(metrics['val/loss'])
    assert runner.message_hub.get_info('best_ckpt').endswith('best_val_loss_epoch_1.pth')


@pytest.mark.parametrize('share_proposals', [True, False])
def test_one_pass_through_backbone_neck_and_rpn(cfg, share_proposals):
    cfg.val_cfg.share_proposals = share_proposals
    runner = build_runner(cfg)
    calls, model = [], runner.model
    for module in (model.backbone, model.neck, model.rpn_head.rpn_conv):
        module.register_forward_hook(lambda module, *_: calls.append(type(module).__name__))
    runner.val_loop.run()
    levels = len(model.rpn_head.prior_generator.strides)
    assert Counter(calls) == {'ResNet': 2, 'FPN': 2, 'Conv2d': 2 * levels}  # two batches


def test_nothing_of_the_training_changes(cfg):
    runner = build_runner(cfg)
    before = copy.deepcopy(runner.model.state_dict())
    drawn = randomness()
    first = runner.val_loop.run()
    assert randomness() == drawn
    after = runner.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    torch.manual_seed(99)
    assert runner.val_loop.run() == first


def test_training_draws_the_same_with_and_without_validation(cfg):
    """Without the hook that seeds each iteration, so that only the loop can keep them equal."""
    cfg.train_cfg.max_epochs = 2
    cfg.custom_hooks = []
    weights = []
    for interval in (1, 9):
        run = copy.deepcopy(cfg)
        run.experiment_name += f'_{interval}'
        run.train_cfg.val_interval = interval
        run.val_cfg = run.val_cfg if interval == 1 else None
        if interval == 9:
            run.val_dataloader = run.val_evaluator = None
            run.default_hooks.checkpoint = dict(type='CheckpointHook', interval=9, save_last=False)
        weights.append(Runner.from_cfg(run).train().state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_losses_on_mps_are_added_up_as_on_the_cpu(cfg, monkeypatch):
    """It has no float64."""
    runner = build_runner(cfg)
    plain, predict = runner.val_loop.run(), val_loss_loop.predict_with_loss

    def as_on_mps(*arguments):
        outputs, losses = predict(*arguments)
        return outputs, {name: on_mps(value) for name, value in losses.items()}

    monkeypatch.setattr(val_loss_loop, 'predict_with_loss', as_on_mps)
    assert runner.val_loop.run() == plain


def test_mixed_precision(cfg):
    full = build_runner(cfg).val_loop.run()
    cfg.val_cfg.fp16 = True
    cfg.experiment_name += '_fp16'
    half = build_runner(cfg).val_loop.run()
    assert half['val/loss'] == pytest.approx(full['val/loss'], rel=0.1)
    assert half['val/loss'] != full['val/loss']


def test_boxes_beyond_the_edge_and_images_without_boxes(cfg, tmp_path, digits_root):
    content = json.loads((digits_root / 'valid.json').read_text())
    first, second = content['images'][:2]
    boxes = [box for box in content['annotations'] if box['image_id'] != first['id']]
    box = next(box for box in boxes if box['image_id'] == second['id'])
    box['bbox'] = [second['width'] - 20, -5, 30, second['height'] + 9]
    content['annotations'] = boxes
    path = tmp_path / 'edge.json'
    path.write_text(json.dumps(content))
    cfg.val_dataloader.dataset.ann_file = str(path)
    cfg.val_evaluator[0].ann_file = str(path)
    runner = build_runner(cfg)
    metrics = runner.val_loop.run()
    for name, value in plain_losses(runner, cfg).items():
        assert metrics[name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.slow
def test_ranks_add_up(cfg, digits_root, tmp_path):
    single = build_runner(exhaustive_cfg(tmp_path / 'single')).val_loop.run()
    torch.multiprocessing.spawn(validate_rank, args=(str(tmp_path),), nprocs=2)
    for rank in range(2):
        metrics = json.loads((tmp_path / f'{rank}.json').read_text())
        for name in LOSSES:
            assert metrics[f'val/{name}'] == pytest.approx(single[f'val/{name}'], abs=1e-5), name


@pytest.mark.parametrize('order', [[0, 2, 1, 3], [0, 1, 3]])
def test_ground_truth_that_is_missing_or_resized_is_an_error(cfg, order):
    pipeline = cfg.val_dataloader.dataset.pipeline
    cfg.val_dataloader.dataset.pipeline = [pipeline[i] for i in order]
    with pytest.raises(InputError, match=r'LoadAnnotations.* after the last Resize'):
        build_runner(cfg)


def test_pipeline_without_resize_is_fine(cfg):
    runner = build_runner(cfg)
    load, _, annotations, pack = runner.val_dataloader.dataset.pipeline.transforms
    check_ground_truth([load, annotations, pack])
