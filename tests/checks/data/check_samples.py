"""A sound data set, small enough to break in one place."""

import json

import cv2
import numpy as np

from mmdet_digits.checks.data import Split, find_splits
from mmdet_digits.checks.data.structure import read_table
from mmdet_digits.coco.files import CATEGORIES

SIZE = (40, 20)  # width, height


def make_coco(images=3, first=1):
    """So many images with two digits each, a 7 and a 0."""
    numbers = range(first, first + images)
    return {
        'images': [make_image(number) for number in numbers],
        'annotations': [
            make_box(2 * number + place, number, [4 + 14 * place, 3, 8, 14], digit)
            for number in numbers
            for place, digit in enumerate((7, 0))
        ],
        'categories': [dict(category) for category in CATEGORIES],
    }


def make_image(number, **values):
    width, height = SIZE
    return {
        'id': number,
        'file_name': f'{number}.png',
        'width': width,
        'height': height,
    } | values


def make_box(number, image, bbox, digit=3, **values):
    return {
        'id': number,
        'image_id': image,
        'category_id': digit + 1,
        'bbox': bbox,
        'area': bbox[2] * bbox[3],
        'iscrowd': 0,
    } | values


def table_of(coco):
    """The table of a file that is sound in its fields."""
    table, checks = read_table(coco)
    assert all(check.status == 'ok' for check in checks), checks
    return table


def write_split(root, name='train', coco=None, first=1):
    """Write a split with the images of its file; no two images are the same."""
    coco = make_coco(first=first) if coco is None else coco
    (root / name).mkdir(parents=True, exist_ok=True)
    for image in coco['images']:
        write_image(root / name / image['file_name'], seed=image['id'])
    (root / f'{name}.json').write_text(json.dumps(coco))
    return Split(root / f'{name}.json', root / name)


def write_all(root):
    """A sound data set of three splits."""
    firsts = {'train': 1, 'valid': 11, 'test': 21}
    return {name: write_split(root, name, first=first) for name, first in firsts.items()}


def plant_ten_faults(root):
    """A data set with ten faults, each of another kind; returns what is to be named."""
    train = make_coco(images=12)
    write_split(root, 'train', train)
    train['annotations'][0]['bbox'] = [4, 3, -8, 14]
    train['annotations'][2]['bbox'] = [40, 3, 8, 14]
    train['annotations'][5]['id'] = train['annotations'][6]['id']
    train['annotations'].append(make_box(900, 777, [4, 3, 8, 14]))
    train['annotations'].append(dict(train['annotations'][10], id=901))
    train['images'][7]['width'] = 400
    train['images'].append(make_image(50, file_name='../50.png'))
    (root / 'train.json').write_text(json.dumps(train))
    (root / 'train' / '9.png').write_bytes((root / 'train' / '9.png').read_bytes()[:300])
    (root / 'train' / '10.png').unlink()
    write_split(root, 'valid', first=101)
    write_image(root / 'valid' / '102.png', seed=3)  # train's image 3
    write_split(root, 'test', first=201)
    return find_splits(root), {
        'train: boxes without size': 'annotation 2 of image 1 (1.png)',
        'train: boxes outside the image': 'annotation 4 of image 2 (2.png)',
        'train: duplicate annotation ids': 'annotation 8 of image 3 (3.png), annotation 8 of',
        'train: annotations without image': 'annotation 900 of image 777',
        'train: duplicate boxes': 'annotation 901 of image 6 (6.png)',
        'train: image sizes': 'image 8 (8.png): 400 x 20 in the JSON, 40 x 20 in the file',
        'train: file names that leave the folder': 'image 50 (../50.png)',
        'train: unreadable images': 'image 9 (9.png): 300 bytes, cut off or damaged',
        'train: images without file': 'image 10 (10.png)',
        'between splits: same image in train and valid': 'train image 3 (3.png) = valid image 102',
    }


def draw(seed=0, size=SIZE, channels=3, dtype=np.uint8):
    """Noise (H, W, channels)."""
    width, height = size
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype)


def write_image(path, seed=0, size=SIZE):
    cv2.imwrite(str(path), draw(seed, size))


def outcome(checks, name):
    """The one check of this name."""
    (found,) = (check for check in checks if check.name == name)
    return found


def failures(checks):
    """The names of the checks that are not fine, with their status."""
    return {check.name: str(check.status) for check in checks if check.status != 'ok'}
