import pytest
from coco_samples import make_coco, make_records, save_json

from mmdet_digits.assembly.number_assembly import PRESETS
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.evaluation.number_errors import find_errors
from mmdet_digits.evaluation.predictions import parse_records


@pytest.fixture
def three_images(tmp_path):
    """Read as: 1 right, 2 wholly wrong but unsure, 3 wholly wrong and sure."""
    coco = make_coco(num_images=3)
    records = make_records(coco, jitter=0, confused=0)
    for record in records:
        record['score'] = {1: 0.9, 2: 0.7, 3: 0.95}[record['image_id']]
        if record['image_id'] > 1:
            record['category_id'] = record['category_id'] % 10 + 1
    coco['annotations'] = [box for box in coco['annotations'] if box['bbox'][0] == 10]
    records = [record for record in records if record['bbox'][0] == 10]
    annotations = read_annotations(save_json(tmp_path / 'ann.json', coco))
    return annotations, parse_records(records, 'pred.json')


def test_worst_first_and_the_right_ones_not_at_all(three_images):
    annotations, predictions = three_images
    errors = find_errors(predictions, annotations, PRESETS['default'])
    assert errors.distances.tolist() == [0, 1, 1]
    assert errors.worst(10).tolist() == [2, 1]
    assert errors.worst(1).tolist() == [2]
    assert errors.scores['accuracy'] == pytest.approx(1 / 3)
    assert errors.confusion.sum() == 3 and errors.confusion.trace() == 1


def test_thresholds_reach_the_confusion_matrix(three_images):
    annotations, predictions = three_images
    errors = find_errors(predictions, annotations, PRESETS['default'], score_thr=0.8)
    assert errors.confusion[:, 10].sum() == 1
