"""Turn true boxes into what a detector might make of them, to study the assembly without one."""

from dataclasses import dataclass

import numpy as np

from mmdet_digits.assembly.detections import Detections

TRUE_SCORES = (8.0, 1.0)  # beta distribution, mean 0.89: the right digit at the right place
DOUBT_SCORES = (4.0, 2.0)  # mean 0.67: a confused digit, or a second box on a digit
STRAY_SCORES = (2.0, 3.0)  # mean 0.40: a box where no digit is


@dataclass(frozen=True)
class DetectionNoise:
    """How much goes wrong. All zero: the true boxes, with scores.

    Attributes:
        jitter: Standard deviation of the shift of each box edge, in widths (x) or heights (y) of
            the box. 0.03 leaves a mean IoU of 0.91 with the true boxes, 0.05 0.86, 0.1 0.74.
        missed: Share of the digits that are not detected.
        confused: Share of the digits that are detected as another digit.
        duplicated: Share of the digits with a second box of the same digit.
        rivals: Share of the digits with a second box of another digit.
        parts: Share of the digits with a small box of another digit inside.
        strays: Mean number per image of boxes anywhere in the image, 0.3 to 2 digits high.
    """

    jitter: float = 0.0
    missed: float = 0.0
    confused: float = 0.0
    duplicated: float = 0.0
    rivals: float = 0.0
    parts: float = 0.0
    strays: float = 0.0


def perturb_detections(
    truth: Detections, sizes: np.ndarray, noise: DetectionNoise, seed: int
) -> Detections:
    """Draw detections of the true digits.

    Args:
        truth: The true digits; their scores are not used.
        sizes: Width and height of each image in pixels (M, 2), where strays are drawn.
        noise: How much goes wrong.
        seed: The same seed gives the same detections.

    Returns:
        The detections, in random order.
    """
    rng = np.random.default_rng(seed)
    found = _select(truth, rng.random(len(truth)) >= noise.missed, rng, TRUE_SCORES)
    wrong = rng.random(len(found)) < noise.confused
    labels = np.where(wrong, _other_digit(found.labels, rng), found.labels)
    scores = np.where(wrong, rng.beta(*DOUBT_SCORES, len(found)), found.scores)
    layers = [Detections(found.image_index, found.bboxes, labels, scores, truth.num_images)]
    for share, other, part in (
        (noise.duplicated, False, False),
        (noise.rivals, True, False),
        (noise.parts, True, True),
    ):
        second = _select(found, rng.random(len(found)) < share, rng, DOUBT_SCORES)
        labels = _other_digit(second.labels, rng) if other else second.labels
        bboxes = _inner_boxes(second.bboxes, rng) if part else second.bboxes
        layers.append(
            Detections(second.image_index, bboxes, labels, second.scores, truth.num_images)
        )
    layers = [_jitter(layer, noise.jitter, rng) for layer in layers]
    layers.append(_strays(truth, sizes, noise.strays, rng))
    merged = [
        np.concatenate([getattr(layer, name) for layer in layers])
        for name in ('image_index', 'bboxes', 'labels', 'scores')
    ]
    order = rng.permutation(len(merged[0]))
    return Detections(*(values[order] for values in merged), truth.num_images)


def _select(detections: Detections, mask: np.ndarray, rng, scores: tuple) -> Detections:
    return Detections(
        detections.image_index[mask],
        detections.bboxes[mask],
        detections.labels[mask],
        rng.beta(*scores, mask.sum()),
        detections.num_images,
    )


def _other_digit(labels: np.ndarray, rng) -> np.ndarray:
    return (labels + rng.integers(1, 10, len(labels))) % 10


def _inner_boxes(bboxes: np.ndarray, rng) -> np.ndarray:
    size = (bboxes[:, 2:] - bboxes[:, :2]) * rng.uniform(0.4, 0.9, (len(bboxes), 2))
    room = bboxes[:, 2:] - bboxes[:, :2] - size
    corner = bboxes[:, :2] + room * rng.random((len(bboxes), 2))
    return np.concatenate([corner, corner + size], axis=1)


def _jitter(detections: Detections, jitter: float, rng) -> Detections:
    size = detections.bboxes[:, 2:] - detections.bboxes[:, :2]
    step = jitter * np.concatenate([size, size], axis=1)
    moved = detections.bboxes + step * rng.normal(size=step.shape)
    corners = np.sort(moved.reshape(-1, 2, 2), axis=1).reshape(-1, 4)  # never inside out
    return Detections(
        detections.image_index, corners, detections.labels, detections.scores, detections.num_images
    )


def _strays(truth: Detections, sizes: np.ndarray, mean: float, rng) -> Detections:
    """Draw boxes anywhere in images that have a digit, of a size that depends on that digit's."""
    model = rng.integers(0, len(truth), rng.poisson(mean * truth.num_images))
    image = truth.image_index[model]
    digit = truth.bboxes[model, 2:] - truth.bboxes[model, :2]
    size = digit * np.exp(rng.uniform(np.log(0.3), np.log(2.0), (len(model), 1)))
    corner = np.maximum(sizes[image] - size, 0) * rng.random((len(model), 2))
    return Detections(
        image,
        np.concatenate([corner, corner + size], axis=1),
        rng.integers(0, 10, len(model)),
        rng.beta(*STRAY_SCORES, len(model)),
        truth.num_images,
    )
