"""Times the data checks, each beside a plain Python loop that looks for the same faults.

python benchmarks/data_checks.py                                      # random boxes, no images
python benchmarks/data_checks.py --ann train.json --images train      # a real data set
python benchmarks/data_checks.py --ann train.json.gz                  # its annotations alone

Both look at the same file in one process, in turns; the figure is the median. Every fault that the
loop looks for is counted, and the counts have to be those of the checks. Where there is one thread
the times are those of the processor, so that other programs matter little; decoding uses all.

Then a check and a repair of pictures that have to be written anew, the stand-ins of broken images,
and a small file that unpacks to a large one, each beside the plain way to do it.
"""

import argparse
import gzip
import json
import os
import statistics
import tempfile
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmdet_digits.checks.data import Split, check_splits, repair_dataset
from mmdet_digits.checks.data.boxes import ASPECT, LARGEST_SHARE, ROUNDING, SAME_PLACE, TALLEST
from mmdet_digits.checks.data.images import encode_plainly, read_pixels
from mmdet_digits.checks.data.splits import check_annotations, inspect_split, known_images
from mmdet_digits.checks.data.structure import read_annotation_file
from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.errors import InputError
from mmdet_digits.files import write_file


def main():
    """Time the checks of the annotations, and those of the images if there are any."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--ann', type=Path, help='COCO file (default: random boxes, as in SVHN)')
    parser.add_argument('--images', type=Path, help='its image folder')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.ann or write_random(Path(folder) / 'random.json')
        report_annotations(path, args.repeats)
        if args.images:
            report_images(Split(path, args.images), args.repeats)
        report_repair(Path(folder))
        report_stand_ins()
        report_blanks(Path(folder) / 'blanks.json.gz')


def write_random(path: Path, num_images: int = 33402, seed: int = 0) -> Path:
    """Write a COCO file of boxes side by side, as many as SVHN's training set has."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for image_id in range(1, num_images + 1):
        images.append(dict(id=image_id, file_name=f'{image_id}.png', width=104, height=47))
        for place in range(rng.choice([1, 2, 3, 4], p=[0.15, 0.55, 0.25, 0.05])):
            bbox = [10 + 18 * place, *rng.integers((8, 10, 20), (13, 18, 30)).tolist()]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=int(rng.integers(1, 11)),
                    bbox=bbox,
                    area=bbox[2] * bbox[3],
                    iscrowd=0,
                )
            )
    content = dict(images=images, annotations=annotations, categories=CATEGORIES)
    path.write_text(json.dumps(content))
    return path


def report_annotations(path: Path, repeats: int):
    """Time the reading and the checking of an annotation file."""
    coco = plain_read(path)
    (reading,), _ = in_turns([lambda: read_annotation_file(path)], repeats, time.process_time)
    (fast, slow), ((_, checks), counts) = in_turns(
        [lambda: check_annotations(coco), lambda: plain_annotations(coco)],
        repeats,
        time.process_time,
    )
    found = {check.name: count_of(check.found) for check in checks if check.name in counts}
    print(f'{path.name}: {len(coco["annotations"]):,} annotations, {len(coco["images"]):,} images')
    print(f'{"reading the JSON, in both":45} {reading:7.2f} s')
    report(f'{len(checks)} checks of the annotations', fast, slow, found == counts)


def report_images(split: Split, repeats: int):
    """Time the checks of a whole split, with headers read and with images decoded."""
    total = len(plain_read(split.ann_file)['images'])
    for decode, name in ((False, 'headers'), (True, f'decoded, {os.cpu_count()} CPUs')):
        (fast, slow), (checks, counts) = in_turns(
            [
                lambda d=decode: check_splits({'': split}, d)[''],
                lambda d=decode: plain_split(split, d),
            ],
            repeats,
            time.perf_counter if decode else time.process_time,
        )
        found = {check.name: count_of(check.found) for check in checks if check.name in counts}
        report(f'all checks, {name}: {total / fast:,.0f} images/s', fast, slow, found == counts)


def report_repair(folder: Path, number: int = 300):
    """Time the check and the repair of pictures with an alpha channel, and measure their memory."""
    (folder / 'alpha').mkdir()
    rng = np.random.default_rng(0)
    images = []
    for index in range(1, number + 1):
        pixels = rng.integers(0, 256, (200, 400, 4), np.uint8)
        cv2.imwrite(str(folder / 'alpha' / f'{index}.png'), pixels)
        images.append(dict(id=index, file_name=f'{index}.png', width=400, height=200))
    ann_file = folder / 'alpha.json'
    ann_file.write_text(json.dumps(dict(images=images, annotations=[], categories=CATEGORIES)))
    split = Split(ann_file, folder / 'alpha')
    ways = {
        'repair': lambda: check_and_repair(split, folder / 'repaired'),
        'plain': lambda: plain_repair(split, folder / 'plain'),
    }
    seconds, peaks = {}, {}
    for name, way in ways.items():
        tracemalloc.start()
        start = time.perf_counter()
        way()
        seconds[name] = time.perf_counter() - start
        peaks[name] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    print_ratio(f'check and repair of {number} pictures', seconds, 's')
    print_ratio('  its memory', peaks, 'MiB')


def check_and_repair(split: Split, out: Path):
    """Check and repair as tools/check_data.py does, which looks at each picture once."""
    found = inspect_split(split, decode=True)
    repair_dataset({'train': split}, out, known=known_images([found]))


def plain_repair(split: Split, out: Path):
    """Check, look again, write anew: one picture after the other, and all kept until the end."""
    (out / 'train').mkdir(parents=True)
    coco = plain_read(split.ann_file)
    names = [image['file_name'] for image in coco['images']]
    for _ in range(2):
        for name in names:
            read_pixels(split.image_dir / name)
    written = {name: encode_plainly(split.image_dir / name) for name in names}
    for name, data in written.items():
        write_file(out / 'train' / name, data)
    write_file(out / 'train.json', json.dumps(coco))


def report_stand_ins(total: int = 1_000_000, broken: int = 100):
    """Time what it costs to find the image that stands in for a broken one."""
    from mmdet_digits.datasets.broken_images import BrokenImages

    images = BrokenImages(total, 0.01, 'benchmark')
    seconds = {'chain': 0.0, 'plain': 0.0}
    for index in range(0, total, total // broken):
        start = time.perf_counter()
        images._tell = lambda *_: None
        images.stand_in(index, InputError('broken'), lambda other: {})
        seconds['chain'] += time.perf_counter() - start
        start = time.perf_counter()
        [*range(index + 1, total), *range(index)]
        seconds['plain'] += time.perf_counter() - start
    print_ratio(f'{broken} stand-ins among {total:,} images', seconds, 's')


def report_blanks(path: Path, size: int = 2**30):
    """Measure the memory that a small file of blanks takes."""
    path.write_bytes(gzip.compress(b'{}' + b' ' * size, 1))
    peaks = {}
    for name, read in (('limited', lambda: read_annotation_file(path)), ('plain', path.read_bytes)):
        tracemalloc.start()
        read() if name == 'limited' else gzip.decompress(read())
        peaks[name] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    print_ratio(
        f'{path.stat().st_size / 2**20:.1f} MiB that unpack to {size >> 20:,}', peaks, 'MiB'
    )


def print_ratio(name: str, values: dict[str, float], unit: str):
    """Print a value beside that of the plain way."""
    ours, plain = values.values()
    print(
        f'{name:45} {ours:7.2f} {unit:3} plain way {plain:9.2f} {unit:3} ratio {plain / ours:5.1f}'
    )


def report(name: str, fast: float, slow: float, same: bool):
    """Print one line."""
    print(
        f'{name:45} {fast:7.2f} s   plain Python loop {slow:7.2f} s   '
        f'ratio {slow / fast:5.1f}   same findings: {same}'
    )


def in_turns(functions: list, repeats: int, clock: Callable) -> tuple[list[float], list]:
    """Return the median seconds of each function, called in turns, and what it returned last."""
    seconds = [[] for _ in functions]
    for _ in range(repeats):
        results = []
        for function, times in zip(functions, seconds, strict=True):
            start = clock()
            results.append(function())
            times.append(clock() - start)
    return [statistics.median(times) for times in seconds], results


def count_of(found: str) -> int:
    """Return how many cases a check found."""
    return 0 if found.startswith('none') else int(found.partition(':')[0].replace(',', ''))


def plain_read(path: Path) -> dict:
    """Read a JSON file, gzipped or not."""
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == '.gz' else data)


def plain_annotations(coco: dict) -> dict[str, int]:
    """Count the faults of the annotations, one annotation after the other."""
    counts = Counter(dict.fromkeys(PLAIN_CHECKS, 0))
    images, ids = {}, Counter(image['id'] for image in coco['images'])
    files = Counter(image['file_name'] for image in coco['images'])
    for image in coco['images']:
        counts['fields of images'] += not plain_image(image)
        counts['duplicate image ids'] += ids[image['id']] > 1
        counts['duplicate file names'] += files[image['file_name']] > 1
        images[image['id']] = image
    categories = {category['id']: category['name'] for category in coco['categories']}
    ids, of_image = Counter(box['id'] for box in coco['annotations']), defaultdict(list)
    for box in coco['annotations']:
        counts['fields of annotations'] += not plain_fields(box)
        counts['duplicate annotation ids'] += ids[box['id']] > 1
        counts['annotation id 0'] += box['id'] == 0
        counts['annotations without category'] += box['category_id'] not in categories
        counts['boxes marked iscrowd or ignore'] += bool(box['iscrowd'] or box.get('ignore'))
        if box['image_id'] not in images:
            counts['annotations without image'] += 1
            continue
        of_image[box['image_id']].append(box)
        for name in plain_box(box, images[box['image_id']]):
            counts[name] += 1
    counts['images without annotations'] = len(images) - len(of_image)
    for boxes in of_image.values():
        plain_group(boxes, counts)
    return dict(counts)


PLAIN_CHECKS = (
    'fields of images',
    'fields of annotations',
    'duplicate image ids',
    'duplicate annotation ids',
    'annotation id 0',
    'duplicate file names',
    'annotations without image',
    'annotations without category',
    'images without annotations',
    'boxes without size',
    'boxes under 1 px',
    'boxes outside the image',
    'boxes partly outside the image',
    'areas',
    'boxes marked iscrowd or ignore',
    'boxes of an odd shape',
    'boxes as large as the image',
    'boxes far taller than their neighbours',
    'duplicate boxes',
    'one place, two boxes',
)


def plain_image(image: dict) -> bool:
    """Return whether the fields of an image are sound."""
    sizes = (image.get('width'), image.get('height'))
    return (
        type(image.get('id')) is int
        and type(image.get('file_name')) is str
        and image['file_name'] != ''
        and all(type(size) in (int, float) and size > 0 and size % 1 == 0 for size in sizes)
    )


def plain_fields(box: dict) -> bool:
    """Return whether the fields of an annotation are sound."""
    ids = (box.get('id'), box.get('image_id'), box.get('category_id'))
    bbox = box.get('bbox')
    return (
        all(type(value) is int for value in ids)
        and isinstance(bbox, list)
        and len(bbox) == 4
        and all(plain_number(value) for value in (*bbox, box.get('area')))
        and box.get('iscrowd') in (0, 1)
    )


def plain_number(value: object) -> bool:
    """Return whether a value is a number of up to 2**53."""
    return type(value) in (int, float) and abs(value) <= 2**53


def plain_box(box: dict, image: dict) -> list[str]:
    """Return the faults of one box in its image."""
    (x, y, w, h), width, height = box['bbox'], image['width'], image['height']
    if w <= 0 or h <= 0:
        return ['boxes without size']
    faults = []
    if w < 1 or h < 1:
        faults.append('boxes under 1 px')
    if x + w <= 0 or y + h <= 0 or x >= width or y >= height:
        faults.append('boxes outside the image')
    elif min(x, y, width - x - w, height - y - h) < -ROUNDING:
        faults.append('boxes partly outside the image')
    if box['area'] <= 0 or abs(box['area'] - w * h) > max(0.01 * w * h, 1):
        faults.append('areas')
    if not ASPECT[0] * h <= w <= ASPECT[1] * h:
        faults.append('boxes of an odd shape')
    inside = max(min(x + w, width) - max(x, 0), 0) * max(min(y + h, height) - max(y, 0), 0)
    if inside > LARGEST_SHARE * width * height:
        faults.append('boxes as large as the image')
    return faults


def plain_group(boxes: list[dict], counts: Counter):
    """Count the faults that the boxes of one image have together."""
    heights = sorted(box['bbox'][3] for box in boxes)
    median = heights[(len(heights) - 1) // 2]
    tall = sum(height > TALLEST * median for height in heights)
    counts['boxes far taller than their neighbours'] += tall
    kept = []
    for box in boxes:
        key = (box['category_id'], *box['bbox'])
        if any(key == (other['category_id'], *other['bbox']) for other in kept):
            counts['duplicate boxes'] += 1
            continue
        if min(box['bbox'][2:]) >= 1:
            counts['one place, two boxes'] += sum(plain_iou(box, o) > SAME_PLACE for o in kept)
            kept.append(box)


def plain_iou(first: dict, second: dict) -> float:
    """Return the IoU of two boxes."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = first['bbox'], second['bbox']
    width, height = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
    inter = max(width, 0) * max(height, 0)
    return inter / (aw * ah + bw * bh - inter)


def plain_split(split: Split, decode: bool) -> dict[str, int]:
    """Count the faults of a split, one image after the other."""
    coco = plain_read(split.ann_file)
    counts = plain_annotations(coco) | {'images without file': 0, 'unreadable images': 0}
    counts['image sizes'], seen = 0, defaultdict(int)
    for image in coco['images']:
        path = split.image_dir / image['file_name']
        if not path.is_file():
            counts['images without file'] += 1
            continue
        try:
            with Image.open(path) as opened:
                size = opened.size
                if decode:
                    opened.load()
        except (OSError, SyntaxError):
            counts['unreadable images'] += 1
            continue
        if decode:
            pixels = cv2.imread(str(path))
            size = pixels.shape[1::-1]
            seen[pixels.tobytes(), size] += 1
        counts['image sizes'] += tuple(size) != (image['width'], image['height'])
    if decode:
        counts['same image twice'] = sum(count > 1 for count in seen.values())
    return counts


if __name__ == '__main__':
    main()
