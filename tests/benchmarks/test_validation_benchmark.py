"""Whole validations are compared on the same images and figures, in a table that adds up."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from printed_tables import rows_of
from pycocotools.coco import COCO

from mmdet_digits.assembly.matching import match_greedily
from mmdet_digits.repository import REPOSITORY


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the script in this process; returns the cells of its table."""
    import validation

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['validation.py', *map(str, arguments)])
        validation.main()
        return rows_of(capsys.readouterr().out)

    return run


@pytest.fixture
def truth(digits_root, tmp_path):
    """The true boxes of a few images, as pycocotools and as torchvision have them."""
    path = digits_root / 'train.json'
    coco = COCO(path)
    targets = []
    for image in coco.imgs:
        boxes = coco.imgToAnns[image]
        x, y, w, h = torch.tensor([box['bbox'] for box in boxes], dtype=torch.float64).T
        labels = torch.tensor([box['category_id'] for box in boxes])
        targets.append(dict(boxes=torch.stack([x, y, x + w, y + h], dim=1), labels=labels))
    return coco, targets


def with_scores(targets, score=0.9):
    return [dict(target, scores=torch.full((len(target['labels']),), score)) for target in targets]


def test_perfect_predictions_score_1(truth):
    from validation_systems import coco_figures, greedy_precision

    coco, targets = truth
    assert coco_figures(coco, list(coco.imgs), with_scores(targets))[0] == pytest.approx(1)
    assert greedy_precision(with_scores(targets), targets) == 1
    assert greedy_precision(with_scores(targets, 0.04), targets) == 0  # none counts


def test_the_loop_in_python_counts_as_this_project_does(truth):
    from validation_systems import greedy_precision

    _, targets = truth
    generator = torch.Generator().manual_seed(0)
    found, right = [], 0
    for target in targets:
        boxes = target['boxes'].repeat(3, 1)
        boxes += 4 * torch.randn(boxes.shape, generator=generator, dtype=boxes.dtype)
        labels = target['labels'].repeat(3)
        found.append(dict(boxes=boxes, labels=labels, scores=torch.ones(len(labels))))
        right += (match_greedily(boxes, labels, target['boxes'], target['labels']) >= 0).sum()
    share = right / sum(len(image['labels']) for image in found)
    assert 0.1 < share < 0.9
    assert greedy_precision(found, targets) == pytest.approx(share)


def test_each_round_is_scored_on_its_own_images(work, tmp_path, digits_root):
    from detectors import DATA_CONFIG, read_batches
    from mmengine.config import Config
    from validation_systems import write_rounds

    pipeline = Config.fromfile(REPOSITORY / DATA_CONFIG).val_dataloader.dataset.pipeline
    rounds = read_batches(replace(work, rounds=3), pipeline)
    whole = json.loads((digits_root / 'train.json').read_text())
    written = [json.loads(path.read_text()) for path in write_rounds(work, rounds, tmp_path)]
    ids = [[image['id'] for image in coco['images']] for coco in written]
    assert np.unique(ids).size == 6  # two in each of three
    for coco, own in zip(written, ids, strict=True):
        assert coco['annotations'] == [b for b in whole['annotations'] if b['image_id'] in own]


def test_a_config_is_validated_with_its_losses_and_metrics(work, tmp_path, monkeypatch):
    import validation_systems
    from mmengine.evaluator import Evaluator

    figures, losses = [], []
    evaluate, one_pass = Evaluator.evaluate, validation_systems.predict_with_loss

    def noting_pass(model, batch):
        samples, terms = one_pass(model, batch)
        losses.append(terms['loss'].item())
        return samples, terms

    monkeypatch.setattr(
        Evaluator, 'evaluate', lambda self, size: figures.append(evaluate(self, size))
    )
    monkeypatch.setattr(validation_systems, 'predict_with_loss', noting_pass)
    validator = validation_systems.own_validator('frcnn_tiny', work, tmp_path)
    assert (validator.name, validator.size) == ('frcnn_tiny, one pass', '192x96')
    assert 0 < validator.validate(0) <= 100
    assert losses[0] > 0
    assert {'coco/bbox_mAP', 'number/accuracy'} <= set(figures[0])


def test_what_the_losses_cost(run, digits_root):
    config = ('configs/digits/frcnn_tiny.py', '--data-root', digits_root)
    rows = run('loss', *config, '--batches', 1, '--repeats', 1)
    assert list(rows)[2:] == [
        'predictions',
        'both, one pass',
        '.. own proposals',
        'both, two passes',
    ]
    assert rows['predictions'][-1] == '1.00'


@pytest.mark.slow
def test_systems_side_by_side(run):
    rows = run('systems', 'frcnn_tiny', '--batch', 1, '--repeats', 1)
    assert rows['torchvision, two passes'][0] == '320x160'
    assert rows['torchvision, two passes'][-1] == '1.0'
    assert float(rows['frcnn_tiny, one pass'][-1]) > 1  # times as cheap
