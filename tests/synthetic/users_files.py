"""Small files as a user of the generator may have them."""

import gzip
import json
from pathlib import Path

import cv2
import matplotlib
import numpy as np

FONTS = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'


def pictures(count=3, side=28, light_on_dark=True):
    """(10 * count, side, side) uint8 and the digits 0..9 that they show, each ``count`` times."""
    images = []
    for digit in np.repeat(range(10), count):
        canvas = np.zeros((side, side), np.uint8)
        at, scale = (round(0.2 * side), round(0.85 * side)), side / 30
        thick = max(2, side // 12)
        cv2.putText(canvas, str(digit), at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick)
        images.append(canvas if light_on_dark else 255 - canvas)
    return np.array(images), np.repeat(range(10), count)


def write_npz(path, images=None, labels=None):
    made = pictures()
    images, labels = (m if a is None else a for a, m in zip((images, labels), made, strict=True))
    np.savez(path, x_train=images, y_train=labels, x_test=images[:1], y_test=labels[:1])
    return path


def write_idx(folder, compressed):
    images, labels = pictures()
    folder.mkdir()
    for name, array, magic in (
        ('train-images-idx3-ubyte', images, 2051),
        ('train-labels-idx1-ubyte', labels.astype(np.uint8), 2049),
    ):
        data = np.array([magic, *array.shape], '>i4').tobytes() + array.tobytes()
        if compressed:
            (folder / f'{name}.gz').write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)
    return folder


def write_digit_folders(folder, light_on_dark=False, side=60):
    images, labels = pictures(2, side, light_on_dark)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / str(label) / f'{index}.png'), image)
    return folder


def write_photos(folder):
    """One red photo and one blue one."""
    folder.mkdir()
    for name, colour in (('red.jpg', (20, 20, 200)), ('blue.png', (200, 20, 20))):
        cv2.imwrite(str(folder / name), np.full((90, 160, 3), colour, np.uint8))
    return folder


def coco(numbers):
    """A COCO dict from (width, height, {digit: bbox, ...}) per image; digits as a string key."""
    images, boxes = [], []
    for index, (width, height, digits) in enumerate(numbers, start=1):
        images.append({'id': index, 'file_name': f'{index}.png', 'width': width, 'height': height})
        for digit, bbox in digits:
            box = {'id': len(boxes) + 1, 'image_id': index, 'category_id': int(digit) + 1}
            boxes.append(box | {'bbox': bbox, 'area': bbox[2] * bbox[3], 'iscrowd': 0})
    categories = [{'id': digit + 1, 'name': str(digit)} for digit in range(10)]
    return {'images': images, 'annotations': boxes, 'categories': categories}


def write_layouts(path, numbers):
    data = json.dumps(coco(numbers)).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == '.gz' else data)
    return path
