"""COCO's figures on arrays against pycocotools, which computes them image by image."""

import contextlib
import json

import numpy as np
import pytest
from assembly_reference import load_benchmark, real_file
from coco_samples import save_json
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_digits.assembly import coco_precision as under_test
from mmdet_digits.assembly.coco_precision import ScoredBoxes, coco_precision
from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import Reason, assemble_numbers
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.coco_figures import FEWER, MOST, coco_figures
from mmdet_digits.evaluation.predictions import parse_records

CATEGORIES = [{'id': n + 1, 'name': str(n)} for n in range(10)]


def reference(coco, records):
    """pycocotools' precision (10, 101, 10, 4 areas, 3 numbers of detections)."""
    with contextlib.redirect_stdout(None):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(coco))
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes([dict(record) for record in records]), 'bbox')
        evaluation.params.maxDets = [100, 300, 1000]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval['precision']


def tables(annotations, predictions):
    found = ScoredBoxes(
        images=np.searchsorted(np.sort(annotations.image_ids), predictions.image_ids),
        labels=predictions.labels,
        bboxes=predictions.bboxes,
        scores=predictions.scores,
        areas=predictions.bboxes[:, 2:].prod(axis=1),
        crowd=np.zeros(len(predictions), dtype=bool),
    )
    return coco_precision(annotations.boxes, found, 10, (FEWER, 300, MOST))


def assert_equal(path, coco, records):
    expected = reference(coco, records)
    found = tables(read_annotations(path), parse_records(records, 'pred.json'))
    for area, name in enumerate(under_test.AREAS):
        for place, limit in enumerate((FEWER, 300, MOST)):
            np.testing.assert_allclose(
                found[name, limit], expected[..., area, place], rtol=0, atol=1e-12
            )


def crowded(seed, images=40, classes=3, step=5.0):
    """Boxes on a coarse grid, so that overlaps and scores tie; crowds; areas of their own."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.arange(10, 10 + images)).tolist()
    coco = {'images': [], 'annotations': [], 'categories': CATEGORIES}
    records = []
    for image_id in ids:
        coco['images'].append({'id': image_id, 'file_name': 'x.png', 'width': 300, 'height': 200})
        for _ in range(rng.integers(0, 7)):
            size = rng.choice([10, 20, 40, 110], 2)
            bbox = [*(step * rng.integers(0, 6, 2)).tolist(), *map(float, size)]
            box = {'id': len(coco['annotations']) + 1, 'image_id': image_id, 'bbox': bbox}
            box['area'] = float(np.prod(size) * rng.choice([0.5, 1, 1, 1.5]))
            box['iscrowd'] = int(rng.random() < 0.15)
            coco['annotations'].append(box | {'category_id': int(rng.integers(1, classes + 1))})
            for _ in range(rng.integers(0, 4)):
                moved = [*(np.add(bbox[:2], step * rng.integers(-1, 2, 2))).tolist(), *bbox[2:]]
                record = {'image_id': image_id, 'bbox': moved if rng.random() < 0.8 else bbox}
                record['score'] = float(rng.integers(0, 11) / 10)
                records.append(record | {'category_id': int(rng.integers(1, classes + 2))})
    return coco, [records[n] for n in rng.permutation(len(records))]


@pytest.mark.parametrize('seed', range(6))
def test_precision_is_that_of_pycocotools(tmp_path, seed, monkeypatch):
    if seed % 2:
        monkeypatch.setattr(under_test, 'MAX_PAIRS', 50)  # in many steps
    coco, records = crowded(seed)
    assert any(box['iscrowd'] for box in coco['annotations'])
    assert_equal(save_json(tmp_path / 'ann.json', coco), coco, records)


def test_images_with_more_detections_than_count(tmp_path):
    coco, records = crowded(0, images=3, classes=1)
    rng = np.random.default_rng(1)
    image_id = coco['images'][0]['id']
    for score in rng.random(1300).tolist():
        bbox = [*rng.uniform(0, 30, 2).tolist(), 20.0, 40.0]
        records.append({'image_id': image_id, 'bbox': bbox, 'score': score, 'category_id': 1})
    assert_equal(save_json(tmp_path / 'ann.json', coco), coco, records)


@pytest.mark.parametrize('bbox', [[0, 0, 0, 0], [500, 0, 20, 40], [10, 10, 20, 40]])
def test_one_detection(tmp_path, bbox):
    coco, _ = crowded(3, images=1, classes=1)
    box = {'id': 1, 'image_id': 10, 'bbox': [10, 10, 20, 40], 'area': 800, 'iscrowd': 0}
    coco['annotations'] = [box | {'category_id': 1}]
    record = {'image_id': 10, 'bbox': bbox, 'score': 1.0, 'category_id': 1}
    assert_equal(save_json(tmp_path / 'ann.json', coco), coco, [record])


def test_figures_of_a_real_detector_are_those_of_pycocotools(tmp_path):
    """Its detections on 1,000 images, against true boxes near them."""
    records = load_benchmark().read_json(real_file('hw2-predictions/pred.json.gz'))
    ids = sorted({record['image_id'] for record in records})[:1000]
    records = [record for record in records if record['image_id'] <= ids[-1]]
    rng = np.random.default_rng(0)
    image = {'file_name': 'x.png', 'width': 9999, 'height': 9999}
    boxes = []
    for record in records:
        x, y, w, h = (np.array(record['bbox']) * rng.normal(1, 0.05, 4)).tolist()
        box = {'image_id': record['image_id'], 'category_id': record['category_id']}
        boxes.append(
            box | {'id': len(boxes) + 1, 'bbox': [x, y, w, h], 'area': w * h, 'iscrowd': 0}
        )
    coco = {'images': [image | {'id': image_id} for image_id in ids], 'annotations': boxes}
    coco['categories'] = CATEGORIES
    path = save_json(tmp_path / 'ann.json', coco)
    assert_equal(path, coco, records)
    figures = coco_figures(read_annotations(path), parse_records(records, 'pred.json'))
    expected = reference(coco, records)
    for name, values in (
        ('mAP', expected[..., 0, 0]),
        ('mAP_50', expected[0, ..., 0, 2]),
        ('mAP_75', expected[5, ..., 0, 2]),
        *((f'mAP_{area}', expected[..., n, 2]) for n, area in enumerate('sml', start=1)),
    ):
        assert figures[f'coco/bbox_{name}'] == pytest.approx(values[values > -1].mean(), abs=1e-9)
    assert 0.2 < figures['coco/bbox_mAP'] < 0.9


def test_the_numbers_of_a_crowded_image_are_made_of_its_best_detections():
    """Without a limit, the memory would grow with the square of the detections of one image."""
    rng = np.random.default_rng(0)
    count = 2500
    low = rng.uniform(0, 5000, (count, 2))
    bboxes = np.concatenate([low, np.add(low, [20, 40])], axis=1)
    labels, scores = rng.integers(0, 10, count), rng.uniform(0.4, 1, count)
    images = rng.permutation(np.repeat([0, 1], [count - 5, 5]))
    detections = Detections(images, bboxes, labels, scores, 2)
    numbers = assemble_numbers(detections)
    best = np.flatnonzero(images == 0)
    best = best[np.argsort(-scores[best])[:1000]]
    kept = np.sort(np.concatenate([best, np.flatnonzero(images == 1)]))
    alone = assemble_numbers(Detections(images[kept], bboxes[kept], labels[kept], scores[kept], 2))
    assert numbers.strings.tolist() == alone.strings.tolist()
    assert numbers.reasons[kept].tolist() == alone.reasons.tolist()
    left_out = np.setdiff1d(np.arange(count), kept)
    assert (scores[left_out] > 0.5).any()
    expected = np.where(scores[left_out] >= 0.5, Reason.SURPLUS, Reason.LOW_SCORE)
    assert numbers.reasons[left_out].tolist() == expected.tolist()
