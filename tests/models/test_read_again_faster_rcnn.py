"""A second look at crops: with the released weights, on synthetic images in wide scenes."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS
from mmengine.dataset import pseudo_collate

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.deploy.predictor import load_detector
from mmdet_digits.models.read_again_faster_rcnn import fuse
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.synthetic.writer import DatasetSpec, draw_image

NAME = 'frcnn_tiny_synthetic_256'
WIDER = 3.5


@pytest.fixture(scope='module')
def cfg():
    cfg = read_config(f'configs/digits/{NAME}.py')
    cfg.model.type = 'ReadAgainFasterRCNN'
    cfg.model.test_cfg.read_again = dict(shares=(0.66,))
    cfg.test_dataloader.dataset.pipeline[1].keep_original = True
    return cfg


@pytest.fixture(scope='module')
def scenes():
    """Images on plain walls so wide that their numbers are a few pixels high on the canvas."""
    spec, found = DatasetSpec(train=24, valid=0, test=0, seed=5, look='clear'), []
    for index in range(1, 25):
        scene = draw_image(spec, 'train', index)
        height, width = scene.image.shape[:2]
        wall = np.full((int(WIDER * height), int(WIDER * width), 3), scene.image.mean(), np.uint8)
        wall[height : 2 * height, width : 2 * width] = scene.image
        found.append((wall, np.add(scene.bboxes, (width, height, 0, 0)), scene.digits))
    return found


@torch.no_grad()
def detect(model, cfg, images, batch_size=8):
    steps = [s for s in cfg.test_dataloader.dataset.pipeline if 'Load' not in s.type]
    pipeline, samples = Compose(steps), []
    packed = [
        pipeline(dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2], img_id=n))
        for n, image in enumerate(images)
    ]
    for start in range(0, len(packed), batch_size):
        samples += model.test_step(pseudo_collate(packed[start : start + batch_size]))
    return [sample.pred_instances for sample in samples]


def load(cfg, **changes):
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(changes)
    return load_detector(cfg, REPOSITORY / f'models/{NAME}.safetensors', 'cpu')


def digits_found(found, truth):
    """How many true digits have a box of their class with an IoU of 0.5 and a score of 0.5."""
    count = 0
    for instances, (_, bboxes, digits) in zip(found, truth, strict=True):
        sure = instances[instances.scores >= 0.5]
        for (x, y, w, h), digit in zip(bboxes, digits, strict=True):
            boxes = sure.bboxes[sure.labels == int(digit)].numpy()
            shared = np.minimum(boxes[:, 2:], (x + w, y + h)) - np.maximum(boxes[:, :2], (x, y))
            area = shared.clip(0).prod(1)
            sides = boxes[:, 2:] - boxes[:, :2]
            count += bool((area / (sides.prod(1) + w * h - area) >= 0.5).any())
    return count


def test_the_second_look_finds_more_small_digits_where_they_are(cfg, scenes):
    images = [image for image, _, _ in scenes]
    once = load(cfg, **{'model.test_cfg.read_again': None})
    twice = load(cfg)
    total = sum(len(digits) for _, _, digits in scenes)
    first, second = (digits_found(detect(model, cfg, images), scenes) for model in (once, twice))
    assert second > first
    assert second > 0.6 * total


def test_without_originals_or_the_setting_it_is_faster_rcnn(cfg, scenes):
    images = [image for image, _, _ in scenes[:6]]
    plain = load(cfg, **{'model.type': 'FasterRCNN'})
    unset = load(cfg, **{'model.test_cfg.read_again': None})
    without = copy.deepcopy(cfg)
    without.test_dataloader.dataset.pipeline[1].keep_original = False
    expected = detect(plain, without, images)
    for model, config in ((unset, cfg), (load(cfg), without)):
        for one, other in zip(detect(model, config, images), expected, strict=True):
            assert torch.equal(one.bboxes, other.bboxes) and torch.equal(one.scores, other.scores)


def test_its_weights_have_the_names_of_faster_rcnns(cfg):
    models = [MODELS.build(dict(cfg.model, type=name)) for name in (cfg.model.type, 'FasterRCNN')]
    assert models[0].state_dict().keys() == models[1].state_dict().keys()


@pytest.mark.parametrize('shares', [(0.66,), (0.5, 0.66, 0.8)])
def test_an_image_is_read_alike_in_any_batch(cfg, scenes, shares):
    model = load(cfg, **{'model.test_cfg.read_again': dict(shares=shares)})
    images = [image for image, _, _ in scenes[:9]]
    found = [detect(model, cfg, images, batch_size) for batch_size in (1, 4, 9)]
    for alone, *others in zip(*found, strict=True):
        for other in others:
            assert torch.equal(alone.labels, other.labels)
            assert torch.allclose(alone.bboxes, other.bboxes, atol=1e-3)
            assert torch.allclose(alone.scores, other.scores, atol=1e-4)


def test_boxes_stay_in_an_image_that_is_smaller_than_its_crop(cfg):
    image = cv2.resize(draw_image(DatasetSpec(1, 0, 0, look='clear'), 'train', 1).image, (40, 18))
    (found,) = detect(load(cfg), cfg, [image])
    assert (found.bboxes >= 0).all() and (found.bboxes[:, 2] <= 40.01).all()


def test_boxes_of_several_readings_are_fused():
    box = np.array([[0.0, 0, 10, 20]], np.float32)
    shifted = np.add(box, (2, 0, 2, 0))
    one = box, np.array([0.8], np.float32), np.array([3])
    two = shifted.astype(np.float32), np.array([0.4], np.float32), np.array([3])
    bboxes, scores, labels = fuse([one, two])
    assert labels.tolist() == [3]
    assert scores == pytest.approx([0.6])
    assert bboxes[0, 0] == pytest.approx(2 * 0.4 / 1.2)
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int)
    assert [len(part) for part in fuse([nothing, nothing])] == [0, 0, 0]
