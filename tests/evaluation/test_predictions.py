import gzip
import json
import pickle

import numpy as np
import pytest
import torch
from coco_samples import make_coco, make_records, save_json
from mmdet.evaluation import DumpDetResults
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.predictions import read_predictions

GOOD = {'image_id': 1, 'bbox': [1.0, 2.0, 3.0, 4.0], 'score': 0.5, 'category_id': 10}


def test_records_come_back_as_they_were(tmp_path):
    records = make_records(make_coco())
    path = save_json(tmp_path / 'pred.json', records)
    assert read_predictions(path).records() == records
    zipped = tmp_path / 'pred.json.gz'
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert read_predictions(zipped).records() == records


def test_detections_are_sorted_into_the_images(tmp_path):
    path = save_json(tmp_path / 'pred.json', [dict(GOOD, image_id=30), dict(GOOD, image_id=2)])
    detections = read_predictions(path).to_detections([30, 7, 2], 'ann.json')
    assert detections.image_index.tolist() == [0, 2] and detections.num_images == 3
    assert detections.bboxes[0].tolist() == [1.0, 2.0, 4.0, 6.0]
    assert detections.labels.tolist() == [9, 9]


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


@pytest.mark.parametrize(
    ('records', 'said'),
    [
        ([], 'not one detection'),
        ({'images': []}, 'not a list of detections'),
        ([GOOD, 5], 'a int, in record 1'),
        ([without('score')], 'no score'),
        ([dict(GOOD, image_id='7')], "image_id '7', not a whole number"),
        ([dict(GOOD, image_id=True)], 'image_id True'),
        ([dict(GOOD, score=float('nan'))], 'score nan, not in 0 to 1'),
        ([dict(GOOD, score=1.5)], 'score 1.5'),
        ([dict(GOOD, score='0.5')], 'score 0.5'),
        ([dict(GOOD, bbox=[1, 2, -3, 4])], '-3, 4] with negative width or height'),
        ([dict(GOOD, bbox=[1, 2, 3, -4])], '-4] with negative width or height'),
        ([dict(GOOD, bbox=[1, 2, 3])], 'not four finite numbers'),
        ([dict(GOOD, bbox=[1, 2, 3, float('inf')])], 'not four finite numbers'),
        ([dict(GOOD, category_id=0)], 'category_id 0, not in 1 to 10'),
        ([dict(GOOD, category_id=11)], 'category_id 11, not in 1 to 10'),
        ([GOOD] * 5 + [dict(GOOD, category_id=0)] * 4, '4 of 9 records are wrong'),
    ],
)
def test_bad_records_are_named(tmp_path, records, said):
    path = save_json(tmp_path / 'pred.json', records)
    with pytest.raises(InputError) as error:
        read_predictions(path)
    message = str(error.value)
    assert message.startswith(f'{path}: ') and said in message
    for part in ('found:', 'expected:', 'fix:'):
        assert part in message


def test_truncated_file(tmp_path):
    path = tmp_path / 'pred.json'
    path.write_text(json.dumps([GOOD] * 3)[:-20])
    with pytest.raises(InputError, match=r'not valid JSON(?s:.*)cut off'):
        read_predictions(path)
    broken = tmp_path / 'pred.json.gz'
    broken.write_bytes(gzip.compress(b'[1, 2, 3]')[:-6])
    with pytest.raises(InputError, match='not valid JSON'):
        read_predictions(broken)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        read_predictions(tmp_path / 'pred.json')


def test_unknown_image_ids_are_listed(tmp_path):
    path = save_json(tmp_path / 'pred.json', [dict(GOOD, image_id=n) for n in (1, 8, 9)])
    with pytest.raises(InputError, match=r'image ids that are not in ann\.json(?s:.*)8, 9'):
        read_predictions(path).to_detections([1, 2], 'ann.json')


def dump(path, found):
    """Write what tools/test.py --out writes."""
    metric = DumpDetResults(out_file_path=str(path))
    for image_id, (bboxes, scores, labels) in found.items():
        sample = DetDataSample(metainfo={'img_id': image_id, 'ori_shape': (60, 100)})
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor(bboxes).reshape(-1, 4),
            scores=torch.tensor(scores),
            labels=torch.tensor(labels, dtype=torch.long),
        )
        metric.process({}, [sample.to_dict()])
    metric.evaluate(size=len(found))
    return path


def test_mmdet_dump(tmp_path):
    path = dump(tmp_path / 'p.pkl', {4: ([[1.0, 2.0, 4.0, 8.0]], [0.75], [0]), 5: ([], [], [])})
    assert read_predictions(path).records() == [
        {'image_id': 4, 'bbox': [1.0, 2.0, 3.0, 6.0], 'score': 0.75, 'category_id': 1}
    ]


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), 'w'))


def hidden_in_storage(path):
    """A pickle inside the bytes that torch unpickles by itself."""

    class Storage:
        def __reduce__(self):
            return (torch.storage._load_from_bytes, (pickle.dumps(Evil(path)),))

    return Storage()


@pytest.mark.parametrize('make', [Evil, hidden_in_storage])
def test_code_in_a_dump_is_not_run(tmp_path, make):
    path, victim = tmp_path / 'evil.pkl', tmp_path / 'victim'
    path.write_bytes(pickle.dumps([make(victim)]))
    with pytest.raises(InputError, match='reading a pickle can run code'):
        read_predictions(path)
    assert not victim.exists()
    path.write_bytes(pickle.dumps([Evil(victim)]))
    pickle.loads(path.read_bytes())  # it would have worked
    assert victim.exists()


@pytest.mark.parametrize('content', [[1, 2], {'a': 1}, [{'pred_instances': {}}], 7])
def test_other_pickles_are_refused(tmp_path, content):
    path = tmp_path / 'other.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match='not a dump of predicted boxes'):
        read_predictions(path)


def test_broken_pickle(tmp_path):
    path = tmp_path / 'broken.pkl'
    path.write_bytes(pickle.dumps([np.arange(100)])[:50])
    with pytest.raises(InputError, match='not loaded'):
        read_predictions(path)
