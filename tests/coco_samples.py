"""Small COCO files for the tests."""

import json

import numpy as np


def make_coco(categories=None, num_images=6, seed=0):
    """Images of 100 x 60 px with one to three digits each."""
    rng = np.random.default_rng(seed)
    categories = categories or [{'id': n + 1, 'name': str(n)} for n in range(10)]
    images, annotations = [], []
    for image_id in range(1, num_images + 1):
        images.append({'id': image_id, 'file_name': f'{image_id}.png', 'width': 100, 'height': 60})
        for position in range(rng.integers(1, 4)):
            box = [10.0 + 25 * position, 10.0, 20.0, 40.0]
            category = categories[rng.integers(0, 10)]['id']
            annotations.append(
                {
                    'id': len(annotations),  # from 0, which pycocotools by itself overlooks
                    'image_id': image_id,
                    'category_id': category,
                    'bbox': box,
                    'area': 800.0,
                    'iscrowd': 0,
                }
            )
    return {'images': images, 'annotations': annotations, 'categories': categories}


def make_records(coco, seed=1, jitter=2.0, confused=0.2):
    """Detections near the true boxes, some of another digit, with scores."""
    rng = np.random.default_rng(seed)
    name_of = {category['id']: category['name'] for category in coco['categories']}
    records = []
    for box in coco['annotations']:
        digit = int(name_of[box['category_id']])
        if rng.random() < confused:
            digit = (digit + 1) % 10
        x, y, w, h = (np.asarray(box['bbox']) + rng.normal(0, jitter, 4)).tolist()
        records.append(
            {
                'image_id': box['image_id'],
                'bbox': [x, y, w, h],
                'score': float(rng.uniform(0.3, 1)),
                'category_id': digit + 1,
            }
        )
    return records


def save_json(path, content):
    path.write_text(json.dumps(content))
    return path
