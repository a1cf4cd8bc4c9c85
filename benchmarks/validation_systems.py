"""Whole validations of a few images: this project's, and that of the published systems.

Those run torchvision's detector twice, in training mode for the losses and in evaluation mode for
the predictions, and then score these: with pycocotools, and digit by digit in Python. This project
runs its detector once, and scores with the metrics that the config has for validation.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from detectors import (
    DEVICE,
    PEER,
    build_model,
    named_config,
    on_device,
    read_batches,
    read_unresized,
    scale_of,
    to_torchvision,
)
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.runner.amp import autocast
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.coco.structure import read_coco
from mmdet_digits.engine.predict_with_loss import predict_with_loss

SCORE_THR = 0.05  # system A's, in full precision
IOU_THR = 0.5


@dataclass(frozen=True)
class Validator:
    """A detector with the images of its rounds.

    Args:
        name: as the table has it.
        size: the largest input, W x H in pixels.
        validate: validate the images of a round; returns the detections per image.
    """

    name: str
    size: str
    validate: Callable[[int], float]


def own_validator(config: str, work, folder: Path) -> Validator:
    """The validation of a config: one pass, and the metrics it has.

    Args:
        config: name or path.
        work: a ``contenders.Work``.
        folder: for the annotations of each round.
    """
    cfg = Config.fromfile(named_config(config))
    pipeline = cfg.val_dataloader.dataset.pipeline
    rounds = read_batches(work, pipeline)
    evaluators = [own_evaluator(cfg, path) for path in write_rounds(work, rounds, folder)]
    model = build_model(cfg).eval()
    mixed = work.amp or cfg.val_cfg.get('fp16', False)

    @torch.no_grad()
    def validate(index: int) -> float:
        torch.manual_seed(index)
        batch = pseudo_collate(rounds[index])
        with autocast(enabled=mixed):
            samples, _ = predict_with_loss(model, batch)
        evaluators[index].process(samples, batch)
        evaluators[index].evaluate(len(samples))
        return sum(len(sample.pred_instances) for sample in samples) / len(samples)

    return Validator(f'{config}, one pass', scale_of(pipeline), validate)


def own_evaluator(cfg: Config, ann_file: Path) -> Evaluator:
    """The metrics of a config, for one annotation file."""
    metrics = [dict(metric) for metric in cfg.val_evaluator]
    for metric in metrics:
        if 'ann_file' in metric:
            metric['ann_file'] = str(ann_file)
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = dict(classes=DIGITS)
    return evaluator


def peer_validator(size: str, work, folder: Path) -> Validator:
    """The validation of the published systems: two passes of torchvision's detector, two metrics.

    Args:
        size: the largest input, e.g. ``'1333x800'``.
        work: a ``contenders.Work``.
        folder: for the annotations of each round.
    """
    torch.manual_seed(0)
    longest, shortest = map(int, size.split('x'))
    model = fasterrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, num_classes=11, min_size=shortest, max_size=longest
    ).to(DEVICE)
    rounds = read_unresized(work)
    truths = [COCO(path) for path in write_rounds(work, rounds, folder)]

    @torch.no_grad()
    def validate(index: int) -> float:
        torch.manual_seed(index)
        images, targets = on_device(zip(*map(to_torchvision, rounds[index]), strict=True))
        with autocast(enabled=work.amp):
            sum(model.train()(images, targets).values()).item()
            outputs = model.eval()(images)
        outputs = [{name: value.cpu() for name, value in found.items()} for found in outputs]
        coco_figures(truths[index], [image_id(item) for item in rounds[index]], outputs)
        greedy_precision(outputs, targets)
        return sum(len(found['scores']) for found in outputs) / len(outputs)

    return Validator(f'{PEER}, two passes', size, validate)


def write_rounds(work, rounds: list[list[dict]], folder: Path) -> list[Path]:
    """Write the annotations of each round to a file of its own."""
    coco = read_coco(work.ann)
    paths = []
    for index, items in enumerate(rounds):
        ids = {image_id(item) for item in items}
        own = dict(
            coco,
            images=[image for image in coco['images'] if image['id'] in ids],
            annotations=[box for box in coco['annotations'] if box['image_id'] in ids],
        )
        paths.append(folder / f'round_{index}.json')
        paths[-1].write_text(json.dumps(own))
    return paths


def image_id(item: dict) -> int:
    """The id of an image that a pipeline has read."""
    return item['data_samples'].img_id


def coco_figures(truth: COCO, ids: list[int], outputs: list[dict]) -> list[float]:
    """COCO's twelve figures of some images, by pycocotools.

    Args:
        truth: the annotations.
        ids: of the images.
        outputs: what torchvision's detector found in each, on the CPU.
    """
    results = []
    for image, found in zip(ids, outputs, strict=True):
        corners = found['boxes']
        boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1)
        lists = (boxes.tolist(), found['labels'].tolist(), found['scores'].tolist())
        for bbox, label, score in zip(*lists, strict=True):
            results.append(dict(image_id=image, bbox=bbox, category_id=label, score=score))
    evaluation = COCOeval(truth, truth.loadRes(results), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats.tolist()


def greedy_precision(outputs: list[dict], targets: list[dict]) -> float:
    """The share of right detections, each taking the first ground truth that fits and is free.

    Args:
        outputs: what torchvision's detector found in each image.
        targets: boxes and labels of each image.
    """
    right = counted = 0
    for found, target in zip(outputs, targets, strict=True):
        truth = list(zip(target['boxes'].tolist(), target['labels'].tolist(), strict=True))
        lists = (found['boxes'].tolist(), found['labels'].tolist(), found['scores'].tolist())
        for box, label, score in zip(*lists, strict=True):
            if score < SCORE_THR:
                continue
            counted += 1
            for other in truth:
                if other[1] == label and iou(box, other[0]) >= IOU_THR:
                    truth.remove(other)
                    right += 1
                    break
    return right / counted if counted else 0.0


def iou(first: list[float], second: list[float]) -> float:
    """The IoU of two boxes, xyxy."""
    (ax, ay, au, av), (bx, by, bu, bv) = first, second
    inter = max(min(au, bu) - max(ax, bx), 0) * max(min(av, bv) - max(ay, by), 0)
    union = (au - ax) * (av - ay) + (bu - bx) * (bv - by) - inter
    return inter / union if union > 0 else 0.0
