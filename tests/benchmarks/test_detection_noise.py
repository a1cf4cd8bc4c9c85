import numpy as np
import pytest
from detection_noise import DetectionNoise, perturb_detections

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.padded_boxes import pairwise_overlaps

N = 4000


@pytest.fixture(scope='module')
def truth():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 50, (N, 2))
    bboxes = np.concatenate([corner, corner + rng.uniform((8, 20), (16, 40), (N, 2))], axis=1)
    return Detections(np.arange(N), bboxes, rng.integers(0, 10, N), np.ones(N), N)


def perturb(truth, seed=0, **noise):
    return perturb_detections(truth, np.full((N, 2), 100.0), DetectionNoise(**noise), seed)


def in_order(found):
    order = np.argsort(found.image_index, kind='stable')
    return found.bboxes[order], found.labels[order]


def test_without_noise_only_the_scores_are_drawn(truth):
    found = perturb(truth)
    bboxes, labels = in_order(found)
    np.testing.assert_array_equal(bboxes, truth.bboxes)
    np.testing.assert_array_equal(labels, truth.labels)
    assert found.scores.mean() == pytest.approx(8 / 9, abs=0.01)


def test_same_seed_same_detections(truth):
    noise = {'jitter': 0.1, 'missed': 0.1, 'rivals': 0.2, 'strays': 0.5}
    one, two, other = (perturb(truth, seed, **noise) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.bboxes, two.bboxes)
    assert len(other) != len(one) or (other.bboxes != one.bboxes).any()


@pytest.mark.parametrize(
    ('noise', 'factor'),
    [
        ({'missed': 0.25}, 0.75),
        ({'duplicated': 0.25}, 1.25),
        ({'rivals': 0.25}, 1.25),
        ({'parts': 0.25}, 1.25),
        ({'strays': 0.25}, 1.25),
        ({'missed': 1.0}, 0.0),
    ],
)
def test_counts(truth, noise, factor):
    assert len(perturb(truth, **noise)) / N == pytest.approx(factor, abs=0.03)


def test_confused_labels_and_jitter(truth):
    bboxes, labels = in_order(perturb(truth, confused=0.25, jitter=0.05))
    assert (labels != truth.labels).mean() == pytest.approx(0.25, abs=0.03)
    iou = pairwise_overlaps(np.stack([truth.bboxes, bboxes], axis=1))[0][:, 0, 1]
    assert iou.mean() == pytest.approx(0.86, abs=0.02)
