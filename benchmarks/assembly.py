"""Speed and accuracy of the number assembly.

python benchmarks/assembly.py speed                     # random detections, or --pred pred.json
python benchmarks/assembly.py orders --ann train.json   # each reading order on true boxes
python benchmarks/assembly.py noise --ann train.json    # default, system A and B on spoilt boxes

``--ann`` and ``--pred`` are COCO files with category ids 1 to 10 for the digits 0 to 9, plain or
gzipped. The annotations of an image have to be listed in the order in which they are read.
"""

import argparse
import gzip
import json
import math
import time
from pathlib import Path
from statistics import median

import numpy as np
from common import describe_machine, print_table, spread, time_in_turn
from detection_noise import DetectionNoise, perturb_detections

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.grouping import NEIGHBOURS
from mmdet_digits.assembly.number_assembly import (
    PRESETS,
    STACKED_ANGLE,
    SURE,
    NumberAssembly,
    assemble_numbers,
    sweep_numbers,
)

READ_ALL = {
    'score_thr': 0.0,
    'iou_thr': None,
    'containment_thr': None,
    'max_gap_heights': None,
    'min_height_ratio': None,
}
NOISES = {
    'nothing': DetectionNoise(),
    'jitter 3 %': DetectionNoise(jitter=0.03),
    'jitter 6 %': DetectionNoise(jitter=0.06),
    'jitter 10 %': DetectionNoise(jitter=0.1),
    '5 % missed': DetectionNoise(jitter=0.03, missed=0.05),
    '5 % confused': DetectionNoise(jitter=0.03, confused=0.05),
    '10 % twice, same digit': DetectionNoise(jitter=0.03, duplicated=0.1),
    '10 % twice, other digit': DetectionNoise(jitter=0.03, rivals=0.1),
    '10 % with a part': DetectionNoise(jitter=0.03, parts=0.1),
    '0.2 strays per image': DetectionNoise(jitter=0.03, strays=0.2),
    'all, mild': DetectionNoise(0.03, 0.01, 0.01, 0.03, 0.03, 0.03, 0.05),
    'all, heavy': DetectionNoise(0.08, 0.05, 0.05, 0.1, 0.1, 0.1, 0.3),
}


def main():
    """Run one of the three studies."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    speed = commands.add_parser('speed')
    speed.add_argument('--pred', type=Path, help='predictions to time instead of random ones')
    speed.add_argument('--images', type=int, default=13068)
    for name in ('orders', 'noise'):
        study = commands.add_parser(name)
        study.add_argument('--ann', type=Path, required=True)
        study.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if args.command == 'speed':
        report_speed(read_predictions(args.pred, args.images) if args.pred else draw(args.images))
    else:
        truth, sizes, numbers = read_annotations(args.ann)
        if args.command == 'orders':
            report_orders(truth, sizes, numbers, args.seed)
        else:
            report_noise(truth, sizes, numbers, args.seed)


def read_json(path: Path):
    """Read a JSON file, gzipped or not."""
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == '.gz' else data)


def read_annotations(path: Path) -> tuple[Detections, np.ndarray, np.ndarray]:
    """Return the true digits, the sizes of the images (M, 2) and the true numbers (M,)."""
    coco = read_json(path)
    row_of_image = {image['id']: row for row, image in enumerate(coco['images'])}
    sizes = np.array([(image['width'], image['height']) for image in coco['images']], dtype=float)
    rows = [row_of_image[annotation['image_id']] for annotation in coco['annotations']]
    truth = to_detections(rows, coco['annotations'], len(sizes))
    numbers = [''] * len(sizes)
    for row, label in zip(rows, truth.labels, strict=True):
        numbers[row] += str(label)
    return truth, sizes, np.array([number or '-1' for number in numbers])


def read_predictions(path: Path, num_images: int) -> Detections:
    """Return the detections of a pred.json; images without any make up the rest."""
    records = read_json(path)
    ids, rows = np.unique([record['image_id'] for record in records], return_inverse=True)
    return to_detections(rows, records, max(num_images, len(ids)))


def to_detections(rows, records: list[dict], num_images: int) -> Detections:
    """Turn COCO records into detections; records without a score get 1."""
    bboxes = np.array([record['bbox'] for record in records], dtype=float)
    bboxes[:, 2:] += bboxes[:, :2]
    labels = np.array([record['category_id'] for record in records]) - 1
    scores = [record.get('score', 1.0) for record in records]
    return Detections(rows, bboxes, labels, scores, num_images)


def draw(num_images: int, per_image: float = 25000 / 13068, seed: int = 0) -> Detections:
    """Draw random digits side by side, with some duplicates, as many as a test set of HW2 has."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, num_images, round(num_images * per_image))
    corner = np.stack([rng.integers(0, 6, len(image)) * 15.0, np.zeros(len(image))], axis=1)
    corner += rng.normal(0, 2, corner.shape)
    size = rng.normal((14, 29), (1, 2), corner.shape)
    bboxes = np.concatenate([corner, corner + size], axis=1)
    return Detections(
        image, bboxes, rng.integers(0, 10, len(image)), rng.beta(6, 1, len(image)), num_images
    )


def report_speed(detections: Detections, repeats: int = 7):
    """Time the assembly, the same in plain Python, and a sweep of 500 settings."""
    print(
        f'{describe_machine()}\n{detections.num_images} images, {len(detections)} detections, '
        f'{repeats} repeats\n'
    )
    rows = []
    for name, setting in PRESETS.items():
        flat = [
            values.tolist()
            for values in (
                detections.image_index,
                detections.bboxes,
                detections.labels,
                detections.scores,
            )
        ]
        ways = {
            'fast': lambda s=setting: assemble_numbers(detections, s).strings.tolist(),
            'slow': lambda s=setting, f=flat: plain_numbers(*f, detections.num_images, s),
        }
        same = 'yes' if ways['fast']() == ways['slow']() else 'NO'
        fast, slow = ([1e3 * s for s in way] for way in time_in_turn(ways, repeats).values())
        ratio = f'{median(slow) / median(fast):.1f}'
        rows.append([name, spread(fast), spread(slow), ratio, same])
    print_table(
        ['assembly', 'this project, ms', 'plain Python loop, ms', 'times as fast', 'same numbers'],
        rows,
    )
    grid = [
        {'score_thr': score, 'iou_thr': iou}
        for score in np.linspace(0.05, 0.95, 25)
        for iou in np.linspace(0, 0.95, 20)
    ]
    start = time.perf_counter()
    for _ in sweep_numbers(detections, grid):
        pass
    print(f'\nsweep of {len(grid)} settings {time.perf_counter() - start:.1f} s')


def report_orders(truth: Detections, sizes: np.ndarray, numbers: np.ndarray, seed: int):
    """Print how many numbers each reading order gets from the true boxes, as they are and moved."""
    multi, stacked, upright = find_stacked(truth)
    print(
        f'{len(numbers)} numbers; {multi.sum()} of two digits or more; {stacked.sum()} stacked '
        f'(dy > dx), of these {upright.sum()} upright stacks'
    )
    for name, result in zip(PRESETS, sweep_numbers(truth, PRESETS), strict=True):
        right = result.strings == numbers
        print(
            f'{name:9} from the true boxes: {right.mean():.5f}, {(right & stacked).sum()} stacked'
        )
    print('jitter  order   wrong by order alone  stacked right  upright right  default accuracy')
    for jitter in (0, 0.03, 0.05, 0.1, 0.15):
        found = perturb_detections(truth, sizes, DetectionNoise(jitter), seed)
        found = Detections(
            found.image_index, found.bboxes, found.labels, np.ones(len(found)), found.num_images
        )
        for order in ('left', 'center', 'axis'):
            settings = [{**READ_ALL, 'order': order}, {'order': order}]
            alone, default = (n.strings == numbers for n in sweep_numbers(found, settings))
            print(
                f'{jitter:6.2f}  {order:6}  {(~alone).sum():20}  {(alone & stacked).sum():13}  '
                f'{(alone & upright).sum():13}  {default.mean():16.5f}'
            )


def find_stacked(truth: Detections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which numbers have several digits, are stacked, and are upright stacks (M,) each."""
    x1, y1, x2, y2 = truth.bboxes.T

    def spread(values):
        low, high = np.full((2, truth.num_images), [[np.inf], [-np.inf]])
        np.minimum.at(low, truth.image_index, values)
        np.maximum.at(high, truth.image_index, values)
        return high - low

    multi = np.bincount(truth.image_index, minlength=truth.num_images) > 1
    stacked = multi & (spread(y1) > spread(x1))
    angle = np.arctan2(spread(y1 + y2), spread(x1 + x2))
    return multi, stacked, multi & (angle > STACKED_ANGLE)


def report_noise(truth: Detections, sizes: np.ndarray, numbers: np.ndarray, seed: int):
    """Print the accuracy of the default and of both systems for each kind of noise."""
    print(f'{"noise":26}' + ''.join(f'{name:>10}' for name in PRESETS) + '   default ahead by')
    for name, noise in NOISES.items():
        found = perturb_detections(truth, sizes, noise, seed)
        accuracy = [(n.strings == numbers).mean() for n in sweep_numbers(found, PRESETS)]
        print(
            f'{name:26}' + ''.join(f'{value:10.4f}' for value in accuracy),
            f'  {accuracy[0] - accuracy[1]:+.4f} A, {accuracy[0] - accuracy[2]:+.4f} B',
        )


def plain_numbers(
    image_index: list[int],
    bboxes: list[list[float]],
    labels: list[int],
    scores: list[float],
    num_images: int,
    setting: NumberAssembly,
) -> list[str]:
    """Do what ``assemble_numbers`` does, image by image in plain Python."""
    per_image = [[] for _ in range(num_images)]
    for position, (image, *digit) in enumerate(
        zip(image_index, bboxes, labels, scores, strict=True)
    ):
        per_image[image].append((*digit, position))
    return [plain_number(digits, setting) for digits in per_image]


def plain_number(digits: list[tuple], setting: NumberAssembly) -> str:
    """Assemble one number from its digits: (bbox, label, score, position in the input)."""
    digits = [
        digit
        for digit in digits
        if digit[2] > setting.score_thr
        or (setting.score_inclusive and digit[2] == setting.score_thr)
    ]
    digits = plain_duplicates(digits, setting)
    if setting.max_gap_px is not None:
        digits = plain_far(digits, setting.max_gap_px)
    if setting.max_gap_heights is not None and digits:
        height = plain_median([(b[3] - b[1], 1.0) for b, *_ in digits])
        digits = plain_far(digits, setting.max_gap_heights * height)
    if setting.min_height_ratio is not None and digits:
        height = plain_median([(b[3] - b[1], score) for b, _, score, _ in digits])
        digits = [
            digit
            for digit in digits
            if min(digit[0][3] - digit[0][1], height)
            >= setting.min_height_ratio * max(digit[0][3] - digit[0][1], height)
        ]
    if setting.one_group:
        digits = plain_group(digits)
    if setting.max_digits is not None:
        digits = sorted(digits, key=lambda digit: -digit[2])[: setting.max_digits]
    text = ''.join(str(digit[1]) for digit in plain_order(digits, setting)) or '-1'
    return text if setting.leading_zeros else str(int(text))


def plain_group(digits: list[tuple]) -> list[tuple]:
    """Keep the digits of the surest group; of equally sure ones that of the earliest digit."""
    groups = []
    for digit in digits:
        near = [group for group in groups if any(plain_near(digit, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([digit, *(other for group in near for other in group)])

    def surest(group):
        clipped = [min(max(score, SURE[0]), SURE[1]) for _, _, score, _ in group]
        first = min(digits.index(digit) for digit in group)
        return round(sum(math.log(score / (1 - score)) for score in clipped), 9), -first

    best = max(groups, key=surest, default=[])
    return [digit for digit in digits if digit in best]


def plain_near(digit: tuple, other: tuple) -> bool:
    """Return whether two digits stand next to each other."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = digit[0], other[0]
    height = max(ay2 - ay1, by2 - by1)
    return (
        max(ax1, bx1) - min(ax2, bx2) <= NEIGHBOURS[0] * height
        and max(ay1, by1) - min(ay2, by2) <= NEIGHBOURS[1] * height
    )


def plain_duplicates(digits: list[tuple], setting: NumberAssembly) -> list[tuple]:
    """Sort by what wins and drop each digit that meets an earlier one that stays."""

    def priority(digit):
        (x1, y1, x2, y2), label, score, position = digit
        first, second = (-score, x1) if setting.duplicate_winner == 'score' else (x1, -score)
        return (first, position) if setting.ties == 'input' else (first, second, y1, x2, y2, label)

    kept = []
    for digit in sorted(digits, key=priority):
        if not any(plain_meet(digit, other, setting) for other in kept):
            kept.append(digit)
    return kept


def plain_meet(digit: tuple, other: tuple, setting: NumberAssembly) -> bool:
    """Return whether only one of two digits may stay."""
    if not setting.class_agnostic and digit[1] != other[1]:
        return False
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = digit[0], other[0]
    width, height = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
    inter = max(width, 0) * max(height, 0)
    area_a, area_b = (ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1)
    union, smaller = area_a + area_b - inter, min(area_a, area_b)
    iou, containment = inter / union if union > 0 else 0, inter / smaller if smaller > 0 else 0
    return (setting.iou_thr is not None and iou > setting.iou_thr) or (
        setting.containment_thr is not None and containment > setting.containment_thr
    )


def plain_far(digits: list[tuple], limit: float) -> list[tuple]:
    """Drop digits with no other centre within the limit, as ``NumberAssembly`` has it."""
    if len(digits) < 2:
        return digits
    centers = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b, *_ in digits]
    near = [
        digit
        for digit, a in zip(digits, centers, strict=True)
        if min(math.hypot(a[0] - b[0], a[1] - b[1]) for b in centers if b is not a) <= limit
    ]
    if near:
        return near
    return [max(digits, key=lambda digit: digit[2])] if len(digits) == 2 else digits


def plain_median(pairs: list[tuple[float, float]]) -> float:
    """Return the weighted median of (value, weight), the lower one of two."""
    total, reached = sum(weight for _, weight in sorted(pairs)), 0.0
    for value, weight in sorted(pairs, key=lambda pair: pair[0]):
        reached += weight
        if reached >= total / 2:
            return value
    return value


def plain_order(digits: list[tuple], setting: NumberAssembly) -> list[tuple]:
    """Sort the digits as they are read."""
    centers = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b, *_ in digits]
    mean = [sum(values) / len(digits) for values in zip(*centers, strict=True)]
    moved = [(x - mean[0], y - mean[1]) for x, y in centers]
    angle = 0.5 * math.atan2(2 * sum(x * y for x, y in moved), sum(x * x - y * y for x, y in moved))
    angle += math.pi if angle < -STACKED_ANGLE else 0
    keys = []
    for (bbox, *_, position), (x, y), (dx, dy) in zip(digits, centers, moved, strict=True):
        key, tie = {
            'left': (bbox[0], bbox[1]),
            'center': (x, y),
            'axis': (dx * math.cos(angle) + dy * math.sin(angle), y),
        }[setting.order]
        keys.append((key, position if setting.ties == 'input' else tie))
    return [digit for _, digit in sorted(zip(keys, digits, strict=True), key=lambda pair: pair[0])]


if __name__ == '__main__':
    main()
