import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import Config

from mmdet_digits.checks import anchors
from mmdet_digits.checks.anchors import (
    anchor_grid,
    best_ious,
    check_anchors,
    resized_boxes,
    sample_boxes,
)
from mmdet_digits.checks.finding import Status

REPOSITORY = Path(__file__).resolve().parents[2]
SVHN_BOXES = REPOSITORY.parent / 'shared/data/svhn-boxes/train.json.gz'
SQUARE = [np.array([[-8.0, -8, 8, 8]])]  # 16 px, every 16 px


@pytest.mark.parametrize(
    ('bbox', 'iou'),
    [
        ((-8, -8, 8, 8), 1),  # on the first anchor
        ((8, 24, 24, 40), 1),  # on another one
        ((8, 8, 24, 16), 0.5),
        ((12, 8, 20, 24), 0.5),
        ((0, 0, 16, 16), 1 / 7),  # between four
        ((400, 8, 416, 24), 0),  # far outside the image
        ((88, 8, 104, 24), 1),  # on the last of the row
        ((100, 8, 116, 24), 1 / 7),  # beyond it: 112 would be the next centre
    ],
)
def test_best_iou_with_square_anchors(bbox, iou):
    found = best_ious(np.array([bbox], float), np.array([[104.0, 64]]), SQUARE, [(16, 16)])
    assert found == pytest.approx([iou])


def test_the_best_of_all_levels_counts():
    anchors = [*SQUARE, np.array([[-32.0, -32, 32, 32], [-16, -32, 16, 32]])]
    bboxes = np.array([[-16.0, -32, 16, 32], [-8, -8, 8, 8], [-32, -32, 32, 32]])
    found = best_ious(bboxes, np.full((3, 2), 64.0), anchors, [(16, 16), (64, 64)])
    assert found.tolist() == [1, 1, 1]


def test_no_boxes():
    assert best_ious(np.zeros((0, 4)), np.zeros((0, 2)), SQUARE, [(16, 16)]).shape == (0,)


@pytest.fixture
def coco(digits_root):
    return json.loads((digits_root / 'train.json').read_text())


def test_equals_the_overlap_with_every_anchor_of_the_network(cfg, coco):
    bboxes, sizes = resized_boxes(cfg, coco)
    generator = cfg.model.rpn_head.anchor_generator
    found = best_ious(bboxes, sizes, *anchor_grid(generator))
    built = TASK_UTILS.build(generator)
    for bbox, (width, height), iou in zip(bboxes, sizes, found, strict=True):
        maps = [(int(-(-height // h)), int(-(-width // w))) for w, h in built.strides]
        anchors = torch.cat(built.grid_priors(maps, device='cpu')).double()
        expected = bbox_overlaps(torch.tensor(bbox)[None], anchors).max()
        assert iou == pytest.approx(expected.item(), abs=1e-6)


def test_boxes_are_resized_as_in_training(cfg, coco):
    image = dict(id=1, file_name='1.png', width=48, height=12)
    coco = dict(images=[image], annotations=[dict(image_id=1, bbox=[4, 2, 10, 8])])
    bboxes, sizes = resized_boxes(cfg, coco)
    assert bboxes.tolist() == [[16, 8, 56, 40]]  # 192 / 48 = 4 times as large
    assert sizes.tolist() == [[192, 96]]  # the canvas, whose sides are multiples of 8 already
    cfg.model.data_preprocessor.pad_size_divisor = 64
    assert resized_boxes(cfg, coco)[1].tolist() == [[192, 128]]


def test_anchors_of_the_tiny_config_fit_its_data(cfg, coco):
    check = check_anchors(cfg, coco)
    assert check.status is Status.OK
    assert f'of {len(coco["annotations"])} boxes have an anchor with IoU >= 0.5' in check.found


def test_anchors_far_too_small_fail(cfg, coco):
    cfg.model.rpn_head.anchor_generator.update(scales=[0.25])
    check = check_anchors(cfg, coco)
    assert check.status is Status.FAIL
    assert check.found.startswith('0.0% of ')
    assert 'anchor_generator' in check.fix


def test_a_model_without_anchors_passes(cfg, coco):
    cfg.model.rpn_head.anchor_generator = dict(type='MlvlPointGenerator', strides=[8, 16])
    assert check_anchors(cfg, coco).found == 'the model has none'
    del cfg.model.rpn_head.anchor_generator
    assert check_anchors(cfg, coco).found == 'the model has none'


@pytest.mark.parametrize('coco', [None, [], {}, dict(images=[], annotations=[])])
def test_no_data_is_said(cfg, coco):
    check = check_anchors(cfg, coco)
    assert (check.status, check.found) == (Status.WARN, 'not compared: no box to compare with')


def test_entries_that_are_no_boxes_are_left_out():
    boxes = [[0, 0, 5, 5], [1, 1, 0, 5], [1, 1, float('nan'), 5], [1, 2, 3], 'x', None]
    coco = dict(
        images=[dict(id=1, width=9, height=9), dict(id=2, width=9, height=9)],
        annotations=[*(dict(image_id=1, bbox=box) for box in boxes), dict(image_id=2)],
    )
    ((size, kept),) = sample_boxes(coco)
    assert size == (9, 9) and kept.tolist() == [[0, 0, 5, 5]]


@pytest.mark.slow
@pytest.mark.skipif(not SVHN_BOXES.exists(), reason='needs the boxes of SVHN')
@pytest.mark.parametrize(
    ('scale', 'percent'), [((320, 160), 96.5), ((1333, 800), 98.1), ((192, 96), 88)]
)
def test_share_of_svhn_that_the_plain_recipe_reaches(monkeypatch, scale, percent):
    monkeypatch.setattr(anchors, 'MAX_IMAGES', 10**6)
    cfg = Config.fromfile(REPOSITORY / 'configs/digits/frcnn_fp32.py')
    cfg.train_dataloader.dataset.pipeline[2].scale = scale
    coco = json.loads(gzip.decompress(SVHN_BOXES.read_bytes()))
    bboxes, sizes = resized_boxes(cfg, coco)
    ious = best_ious(bboxes, sizes, *anchor_grid(cfg.model.rpn_head.anchor_generator))
    assert len(ious) == 73257
    assert 100 * (ious >= 0.5).mean() == pytest.approx(percent, abs=0.5)
