from dataclasses import replace

import numpy as np
from PIL import Image

from mmdet_digits.assembly.coco_precision import ScoredBoxes
from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import PRESETS
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.number_errors import find_errors
from mmdet_digits.evaluation.predictions import Predictions
from mmdet_digits.visualization.error_report import make_tiles


def test_a_number_read_outside_the_image_is_drawn(tmp_path):
    Image.new('RGB', (100, 60)).save(tmp_path / '1.png')
    none = Detections([], [], [], [], 1)
    sizes = np.array([[100.0, 60.0]])
    boxes = ScoredBoxes(*(np.zeros(0) for _ in range(6)))
    annotations = Annotations('ann.json', np.array([1]), ['1.png'], sizes, none, boxes)
    bbox = np.array([[500.0, 10.0, 20.0, 40.0]])
    found = Predictions('pred.json', np.array([1]), bbox, np.array([0.9]), np.array([7]))
    outside = find_errors(found, annotations, PRESETS['default'])
    (tile,) = make_tiles(outside, annotations, tmp_path, 5)
    assert (tile.true, tile.read) == ('-1', '7')
    inside = find_errors(
        replace(found, bboxes=bbox - [460, 0, 0, 0]), annotations, PRESETS['default']
    )
    (other,) = make_tiles(inside, annotations, tmp_path, 5)
    assert np.asarray(tile.picture).any() and tile.picture.size != other.picture.size
