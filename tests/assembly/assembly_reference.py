"""What the tests of the assembly share: literal re-implementations, random digits, real data."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from mmdet_digits.assembly.detections import Detections

ROOT = Path(__file__).parents[2]
REAL_DATA = ROOT.parent / 'shared' / 'data'


def load_benchmark():
    """Import benchmarks/assembly.py, which has the plain-Python loop and the studies."""
    spec = importlib.util.spec_from_file_location(
        'assembly_benchmark', ROOT / 'benchmarks/assembly.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def real_file(name: str) -> Path:
    if not (REAL_DATA / name).exists():
        pytest.skip(f'{REAL_DATA / name} is not here; real data is not part of the project')
    return REAL_DATA / name


def random_detections(seed: int, num_images: int = 300, mean: float = 4.0) -> Detections:
    """Crowded digits on a coarse grid of values, so that ties and overlaps are common."""
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(0, num_images, int(mean * num_images)))
    corner = rng.integers(0, [60, 20], (len(image), 2)) * 2.0
    size = rng.integers([4, 8], [12, 20], (len(image), 2)) * 2.0
    scores = rng.integers(8, 21, len(image)) / 20  # 0.4, 0.45, ..., 1: thresholds are hit exactly
    boxes = np.concatenate([corner, corner + size], axis=1)
    return Detections(image, boxes, rng.integers(0, 10, len(image)), scores, num_images)


def per_image(detections: Detections) -> list[list[dict]]:
    """Return each image's detections in the order of the input."""
    images = [[] for _ in range(detections.num_images)]
    for n, image in enumerate(detections.image_index):
        x1, y1, x2, y2 = detections.bboxes[n].tolist()
        images[image].append(
            {
                'bbox': [x1, y1, x2 - x1, y2 - y1],
                'category_id': int(detections.labels[n]) + 1,
                'score': float(detections.scores[n]),
            }
        )
    return images


def system_a(predictions: list[dict]) -> str:
    """The published procedure of system A: filter, sort by x, join, integer."""
    kept = [p for p in predictions if p['score'] >= 0.5]
    if not kept:
        return '-1'
    kept.sort(key=lambda p: p['bbox'][0])
    return str(int(''.join(str(p['category_id'] - 1) for p in kept)))


def system_b(predictions: list[dict]) -> str:
    """The published procedure of system B: filter, walk from left to right, drop the distant."""
    found = sorted((p for p in predictions if p['score'] > 0.6), key=lambda p: p['bbox'][0])
    kept = []
    for p in found:
        if not any(k['category_id'] == p['category_id'] and iou(k, p) > 0.3 for k in kept):
            kept.append(p)
    if len(kept) > 2:
        near = [p for p in kept if min(distance(p, q) for q in kept if q is not p) <= 50]
        kept = near or kept
    if len(kept) == 2 and distance(*kept) > 50:
        kept = [max(kept, key=lambda p: p['score'])]
    return ''.join(str(p['category_id'] - 1) for p in kept) or '-1'


def iou(a: dict, b: dict) -> float:
    (ax, ay, aw, ah), (bx, by, bw, bh) = a['bbox'], b['bbox']
    width = max(min(ax + aw, bx + bw) - max(ax, bx), 0)
    height = max(min(ay + ah, by + bh) - max(ay, by), 0)
    return width * height / (aw * ah + bw * bh - width * height)


def distance(a: dict, b: dict) -> float:
    (ax, ay, aw, ah), (bx, by, bw, bh) = a['bbox'], b['bbox']
    return math.hypot(ax + aw / 2 - bx - bw / 2, ay + ah / 2 - by - bh / 2)
