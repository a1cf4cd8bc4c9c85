"""The assembly on real boxes; skipped where they are not at hand."""

import csv
import gzip

import numpy as np
import pytest
from assembly_reference import load_benchmark, real_file
from detection_noise import perturb_detections

from mmdet_digits.assembly.number_assembly import (
    PRESETS,
    Reason,
    assemble_numbers,
    sweep_numbers,
)

benchmark = load_benchmark()


@pytest.fixture(scope='module')
def svhn():
    return benchmark.read_annotations(real_file('svhn-boxes/train.json.gz'))


@pytest.fixture(scope='module')
def submission():
    """Return the detections, and the numbers made of them, of a public submission."""
    with gzip.open(real_file('hw2-predictions/pred.csv.gz'), 'rt') as file:
        rows = list(csv.DictReader(file))
    records = benchmark.read_json(real_file('hw2-predictions/pred.json.gz'))
    row_of_image = {int(row['image_id']): n for n, row in enumerate(rows)}
    at = [row_of_image[record['image_id']] for record in records]
    numbers = np.array([row['pred_label'] for row in rows])
    return benchmark.to_detections(at, records, len(rows)), numbers


def test_submission_is_reproduced(submission):
    detections, given = submission
    assert (assemble_numbers(detections, 'system_a').strings == given).all()
    kept = assemble_numbers(detections, {'preset': 'system_a', 'leading_zeros': True}).strings
    differ = kept != given
    assert (~differ).sum() == 13022
    assert [str(int(text)) for text in kept[differ]] == given[differ].tolist()


@pytest.mark.parametrize(
    ('order', 'at_least', 'stacked_right'),
    [('left', 0.9996, 212), ('center', 0.9988, 189), ('axis', 0.9986, 185)],
)
def test_true_boxes_give_the_annotated_numbers(svhn, order, at_least, stacked_right):
    truth, _, numbers = svhn
    multi, stacked, upright = benchmark.find_stacked(truth)
    assert (multi.sum(), stacked.sum(), upright.sum()) == (28265, 212, 42)
    right = assemble_numbers(truth, {'order': order}).strings == numbers
    assert right.mean() >= at_least
    assert (right & stacked).sum() == stacked_right


@pytest.mark.parametrize('noise', benchmark.NOISES)
def test_default_is_not_behind_under_noise(svhn, noise):
    truth, sizes, numbers = svhn
    found = perturb_detections(truth, sizes, benchmark.NOISES[noise], seed=0)
    accuracy = {
        name: (result.strings == numbers).mean()
        for name, result in zip(PRESETS, sweep_numbers(found, PRESETS), strict=True)
    }
    assert accuracy['default'] >= max(accuracy['system_a'], accuracy['system_b'])


def test_rules_drop_few_real_detections(submission):
    detections, _ = submission
    reasons = np.bincount(assemble_numbers(detections).reasons, minlength=len(Reason))
    assert reasons[Reason.READ] > 0.98 * len(detections)
