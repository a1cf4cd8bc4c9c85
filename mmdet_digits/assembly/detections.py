"""Detections of many images as flat arrays, and as padded blocks that numpy can work on at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmdet_digits.assembly.padded_boxes import pairwise_center_distances, pairwise_overlaps

MAX_BLOCK_PAIRS = 1 << 18  # pairs of slots per block: bounds the memory of one step
MAX_DETECTIONS = 1000
"""Only so many detections of an image are compared with one another, the best-scored ones."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Digit detections of ``num_images`` images, in any order.

    Attributes:
        image_index: Which image each detection belongs to (N,), 0 to ``num_images - 1``.
        bboxes: Boxes (N, 4), xyxy in pixels of the original image.
        labels: Digits (N,), 0 to 9. A digit, not a category id and not a class index.
        scores: Scores (N,).
        num_images: Number of images, those without detections included.

    Raises:
        ValueError: If lengths disagree, a value is not finite or out of range, or a box is
            turned inside out. The message names the first such detection.
    """

    image_index: np.ndarray
    bboxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    num_images: int

    def __post_init__(self):
        fields = {
            'image_index': np.asarray(self.image_index, dtype=np.int64).reshape(-1),
            'bboxes': np.asarray(self.bboxes, dtype=np.float64).reshape(-1, 4),
            'labels': np.asarray(self.labels, dtype=np.int64).reshape(-1),
            'scores': np.asarray(self.scores, dtype=np.float64).reshape(-1),
        }
        lengths = {name: len(value) for name, value in fields.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f'detections: lengths disagree: {lengths}')
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        self._check()

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def by_image(self) -> list[np.ndarray]:
        """The indices of each image's detections, in the order of the input."""
        order = np.argsort(self.image_index, kind='stable')
        ends = np.searchsorted(self.image_index[order], np.arange(1, self.num_images))
        return np.split(order, ends)

    def _check(self):
        x1, y1, x2, y2 = self.bboxes.T
        image = self.image_index
        for bad, what in (
            ((image < 0) | (image >= self.num_images), f'image_index in 0..{self.num_images - 1}'),
            ((self.labels < 0) | (self.labels > 9), 'a label (digit) in 0..9'),
            (~np.isfinite(self.scores), 'a finite score'),
            (~np.isfinite(self.bboxes).all(axis=1), 'a finite box'),
            ((x2 < x1) | (y2 < y1), 'a box with x1 <= x2 and y1 <= y2'),
        ):
            if bad.any():
                n = int(bad.argmax())
                raise ValueError(
                    f'detection {n}: expected {what}, found image_index {image[n]}, '
                    f'label {self.labels[n]}, score {self.scores[n]}, '
                    f'bbox {self.bboxes[n].tolist()} ({bad.sum()} such detections)'
                )


@dataclass(frozen=True, eq=False)
class Block:
    """Images with about the same number of detections, padded to K slots.

    Slots are in the order in which duplicates are settled: an earlier slot wins.

    Attributes:
        images: Image indices (B,).
        index: Detection in each slot (B, K), -1 where the slot is empty.
        bboxes: Boxes (B, K, 4), zeros in empty slots.
        labels: Digits (B, K).
        scores: Scores (B, K), ``-inf`` in empty slots.
        iou: Intersection over union (B, K, K).
        containment: Intersection over the smaller area (B, K, K).
        distances: Distances between centres in pixels (B, K, K).
    """

    images: np.ndarray
    index: np.ndarray
    bboxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    iou: np.ndarray
    containment: np.ndarray
    distances: np.ndarray


def make_blocks(detections: Detections, score_floor: float, winner: str, ties: str) -> list[Block]:
    """Group the detections by image and the images by their number of detections.

    Args:
        detections: The detections.
        score_floor: Detections below it are left out, and so are those of an image that are not
            among its best :data:`MAX_DETECTIONS`.
        winner: What decides which slot comes first: ``'score'`` or ``'left'``.
        ties: ``'boxes'`` or ``'input'``, see ``NumberAssembly``.

    Returns:
        The blocks; images without a detection are in none.
    """
    order = _slot_order(detections, score_floor, winner, ties)
    images, starts, counts = np.unique(
        detections.image_index[order], return_index=True, return_counts=True
    )
    widths = np.where(counts <= 8, counts, -(-counts // 8) * 8)
    blocks = []
    for width in np.unique(widths):
        members = np.flatnonzero(widths == width)
        step = max(1, MAX_BLOCK_PAIRS // int(width) ** 2)
        for first in range(0, len(members), step):
            rows = members[first : first + step]
            slots = np.arange(width)
            filled = slots < counts[rows, None]
            at = np.where(filled, starts[rows, None] + slots, 0)
            index = np.where(filled, order[at], -1)
            blocks.append(_fill_block(detections, images[rows], index))
    return blocks


def _slot_order(detections: Detections, score_floor: float, winner: str, ties: str) -> np.ndarray:
    """Sort detections by image, then by what wins, then by what settles ties."""
    candidates = _best_of_each_image(detections, np.flatnonzero(detections.scores >= score_floor))
    x1, y1, x2, y2 = detections.bboxes[candidates].T
    best = -detections.scores[candidates]
    keys = (best, x1) if winner == 'score' else (x1, best)
    others = (y1, x2, y2, detections.labels[candidates])
    # lexsort is stable: with the first key alone the input's order settles ties
    keys = keys[:1] if ties == 'input' else keys + others
    return candidates[np.lexsort((*keys[::-1], detections.image_index[candidates]))]


def _best_of_each_image(detections: Detections, candidates: np.ndarray) -> np.ndarray:
    """Leave out what an image has beyond its best :data:`MAX_DETECTIONS`."""
    images, scores = detections.image_index[candidates], detections.scores[candidates]
    if np.bincount(images).max(initial=0) <= MAX_DETECTIONS:
        return candidates
    order = np.lexsort((-scores, images))
    place = np.arange(len(order)) - np.searchsorted(images[order], images[order])
    return np.sort(candidates[order[place < MAX_DETECTIONS]])


def _fill_block(detections: Detections, images: np.ndarray, index: np.ndarray) -> Block:
    filled = index >= 0
    bboxes = np.where(filled[..., None], detections.bboxes[index], 0.0)
    iou, containment = pairwise_overlaps(bboxes)
    return Block(
        images=images,
        index=index,
        bboxes=bboxes,
        labels=detections.labels[index],
        scores=np.where(filled, detections.scores[index], -np.inf),
        iou=iou,
        containment=containment,
        distances=pairwise_center_distances(bboxes),
    )
