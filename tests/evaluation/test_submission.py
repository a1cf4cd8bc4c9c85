import csv
import io
import json
import zipfile

import pytest
from coco_samples import make_coco, make_records

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.predictions import parse_records
from mmdet_digits.evaluation.submission import (
    check_submission,
    numbers_csv,
    numbers_table,
    write_submission,
)

RECORD = {'image_id': 1, 'bbox': [0, 0, 9, 20], 'score': 0.9, 'category_id': 1}
CSV = 'image_id,pred_label\n1,0\n2,-1\n'


def test_what_is_written_is_what_was_given(tmp_path):
    coco = make_coco()
    records = make_records(coco)
    predictions = parse_records(records, 'pred.json')
    ids = [image['id'] for image in coco['images']] + [7]
    numbers = assemble_numbers(predictions.to_detections(ids, 'ann')).strings
    paths = [tmp_path / name for name in ('a.zip', 'b.zip')]
    for path in paths:
        write_submission(path, predictions, ids, numbers)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        assert sorted(archive.namelist()) == ['pred.csv', 'pred.json']
        assert json.loads(archive.read('pred.json')) == records
        assert archive.read('pred.csv').decode() == numbers_csv(ids, numbers)
        assert archive.read('pred.csv').decode().endswith('7,-1\n')


def test_rows_are_in_order_and_leading_zeros_stay():
    assert numbers_csv([10, 2], ['-1', '007']) == 'image_id,pred_label\n2,007\n10,-1\n'


def archive(path, files):
    with zipfile.ZipFile(path, 'w') as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return path.read_bytes()


def files(table=CSV, records=(RECORD,)):
    return {'pred.json': json.dumps(list(records)), 'pred.csv': table}


def test_a_good_one_passes(tmp_path):
    check_submission(archive(tmp_path / 'a.zip', files()), [1, 2], 'a.zip')


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ({'pred.csv': CSV}, 'just pred.json, pred.csv'),
        ({**files(), 'readme.txt': ''}, 'readme.txt'),
        ({f'out/{name}': content for name, content in files().items()}, 'out/pred.json'),
        (files('1,0\n2,-1\n'), 'pred.csv begins with'),
        (files('image_id,pred_label\n1,0\n'), r'1 missing \(e.g. 2\)'),
        (files(CSV + '3,-1\n'), r'1 unknown \(e.g. 3\)'),
        (files(CSV + '1,0\n'), r'1 repeated \(e.g. 1\)'),
        (files(CSV.replace('1,0', '1,')), "label '' of image 1"),
        (files(CSV.replace('1,0', '1,-2')), "label '-2' of image 1"),
        (files(CSV.replace('1,0', '1,00')), 'label 00 of image 1'),
        (files(CSV.replace('2,-1', '2,0')), 'label 0 of image 2(?s:.*)no digit'),
        (files(records=[dict(RECORD, category_id=0)]), 'category_id 0'),
        (files(records=[dict(RECORD, image_id=9)]), 'image ids that are not in'),
    ],
)
def test_bad_ones_are_refused(tmp_path, content, said):
    data = archive(tmp_path / 'a.zip', content)
    with pytest.raises(InputError, match=said):
        check_submission(data, [1, 2], 'a.zip')


def test_nothing_is_written_when_it_is_refused(tmp_path):
    predictions = parse_records([RECORD], 'pred.json')
    with pytest.raises(InputError, match='label 5 of image 1'):
        write_submission(tmp_path / 'a.zip', predictions, [1], ['5'])
    assert list(tmp_path.iterdir()) == []


def test_numbers_table_says_how_sure_each_number_is():
    detections = Detections(
        image_index=[2, 0, 0, 0],
        bboxes=[[5, 0, 9, 9], [10, 0, 15, 9], [0, 0, 6, 9], [0, 30, 6, 39]],
        labels=[7, 2, 1, 9],
        scores=[0.8, 0.5, 0.9, 0.1],
        num_images=3,
    )
    numbers = assemble_numbers(detections)
    table = numbers_table([4, 5, 6], ['a.png', '=b.png', 'sub/c.png'], detections, numbers)
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row['number'] for row in rows] == ['12', '-1', '7']
    assert [row['file_name'] for row in rows] == ['a.png', "'=b.png", 'sub/c.png']
    assert [float(row['confidence']) for row in rows] == [0.45, 0, 0.8]
    assert json.loads(rows[0]['digit_scores']) == [0.9, 0.5]
    assert json.loads(rows[0]['boxes']) == [[0, 0, 6, 9], [10, 0, 15, 9]]
    assert json.loads(rows[1]['boxes']) == []
