"""A test set whose images are cropped more loosely than those of the split it is made of.

To choose a recipe for images that are cropped loosely takes labelled ones; where there are none,
each image of a split is put into wider scenes. See ``synthetic/wider_scenes.py``.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from mmdet_digits.boxes import corners
from mmdet_digits.coco.structure import name_problem, read_coco, unusable_name
from mmdet_digits.converters.linking import LinkedSplit, Plan, build, check_unused
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_folder
from mmdet_digits.image_reading import load_image
from mmdet_digits.synthetic.wider_scenes import widen


def write_wider_set(
    source: Path,
    out: Path,
    split: str = 'valid',
    variants: int = 3,
    share: tuple[float, float] = (0.35, 1.0),
    seed: int = 0,
    track: Callable[[list], Iterable] = iter,
) -> LinkedSplit:
    """Write ``test.json`` and ``test/`` with wider scenes around the images of a split.

    The same arguments give the same bytes: an image's scenes depend on it, its place in the file
    and the seed.

    Args:
        source: folder with ``SPLIT.json`` and ``SPLIT/``.
        out: folder for the new set; must be empty or not exist.
        split: which split to put into scenes.
        variants: scenes of each image.
        share: least and largest height of an image as a share of that of its scene.
        seed: not negative.
        track: is given the images, and gives them back, for a progress bar.

    Returns:
        What was written.

    Raises:
        InputError: the split is not what it should be, or a value is not possible.
        FolderError: ``out`` is in use; nothing is changed then.
    """
    check_values(variants, share, seed)
    check_unused(out)
    ann_file = source / f'{split}.json'
    coco = read_coco(ann_file)
    check_folder(source / split, f'the images of {ann_file}')
    plan = _plan(source / split, ann_file, coco, variants, share, seed, track)
    build(out, plan, source)
    return plan.splits[0]


def check_values(variants: int, share: tuple[float, float], seed: int) -> None:
    """Raise InputError unless scenes can be made with these values."""
    low, high = share
    if not 0.05 <= low <= high <= 1:
        raise InputError(
            f'--share {low} {high}: not possible.',
            f'{low} to {high}',
            'two numbers from 0.05 to 1, the smaller one first',
            'give others, e.g. --share 0.35 1',
        )
    for name, value, least in (('--variants', variants, 1), ('--seed', seed, 0)):
        if value < least:
            raise InputError(
                f'{name} {value}: not possible.',
                str(value),
                f'a whole number, {least} or more',
                f'{name} {least}',
            )


def _plan(
    folder: Path,
    ann_file: Path,
    coco: dict,
    variants: int,
    share: tuple[float, float],
    seed: int,
    track: Callable[[list], Iterable],
) -> Plan:
    boxes_of = {image['id']: [] for image in coco['images']}
    for annotation in coco['annotations']:
        boxes_of[annotation['image_id']].append(annotation)
    images, annotations, plan = [], [], Plan()
    for index, image in enumerate(track(coco['images'])):
        if name_problem(image['file_name']):
            raise unusable_name(image['file_name'], ann_file)
        pixels, own = load_image(folder / image['file_name']), boxes_of[image['id']]
        bboxes = corners(np.array([box['bbox'] for box in own], float).reshape(-1, 4))
        for variant in range(variants):
            rng = np.random.default_rng((seed, variant, index))
            scene, moved = widen(pixels, bboxes, rng, share)
            number = len(images) + 1
            height, width = scene.shape[:2]
            name = f'{number}.png'
            images.append({'id': number, 'file_name': name, 'width': width, 'height': height})
            for box, (x1, y1, x2, y2) in zip(own, moved.tolist(), strict=True):
                bbox = [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]
                annotations.append(
                    {
                        **{'id': len(annotations) + 1, 'image_id': number, 'bbox': bbox},
                        'category_id': box['category_id'],
                        **{'area': bbox[2] * bbox[3], 'iscrowd': box.get('iscrowd', 0)},
                    }
                )
            content = cv2.imencode('.png', scene)[1].tobytes()
            plan.made[f'test/{name}'] = lambda content=content: content
    content = {'images': images, 'annotations': annotations, 'categories': coco['categories']}
    plan.files['test.json'] = json.dumps(content) + '\n'
    origin = f'{folder}, each image in {variants} wider scenes'
    plan.splits.append(LinkedSplit('test', len(images), len(annotations), origin))
    return plan
