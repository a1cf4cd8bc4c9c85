import gzip
import json
from pathlib import Path

import pytest

from mmdet_digits.converters.mchar import McharFile
from mmdet_digits.converters.records import build_coco
from mmdet_digits.errors import InputError

SVHN_BOXES = Path(__file__).resolve().parents[3] / 'shared/data/svhn-boxes/train.json.gz'

#: The first records of mchar_train.json, as its description shows them.
FIRST = {
    '000000.png': dict(
        height=[219, 219], label=[1, 9], left=[246, 323], top=[77, 81], width=[81, 96]
    ),
    '000001.png': dict(height=[32, 32], label=[2, 3], left=[77, 98], top=[29, 25], width=[23, 26]),
    '000002.png': dict(height=[15, 15], label=[2, 5], left=[17, 25], top=[5, 5], width=[8, 9]),
}


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def change(**values):
    return {'000000.png': FIRST['000000.png'] | values}


def test_boxes_to_the_pixel(tmp_path):
    records = McharFile(write(tmp_path / 'm.json', FIRST))
    assert len(records) == 3
    assert records[0].file_name == '000000.png'
    assert records[0].bboxes.tolist() == [[245, 76, 81, 219], [322, 80, 96, 219]]
    assert records[1].digits.tolist() == [2, 3]
    kept = McharFile(tmp_path / 'm.json', offset=0)
    assert kept[0].bboxes.tolist() == [[246, 77, 81, 219], [323, 81, 96, 219]]


def test_zero_is_zero_and_ids_are_the_names(tmp_path):
    records = McharFile(write(tmp_path / 'm.json', change(label=[0, 0])))
    coco = build_coco(records, lambda record: (741, 350)).coco
    assert [box['category_id'] for box in coco['annotations']] == [1, 1]
    assert coco['images'][0]['id'] == 0


def test_an_image_without_boxes(tmp_path):
    empty = dict(height=[], label=[], left=[], top=[], width=[])
    assert McharFile(write(tmp_path / 'm.json', {'1.png': empty}))[0].bboxes.shape == (0, 4)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (change(label=[1, 10]), r'm\.json, 000000\.png: box 2 is labelled 10'),
        (change(label=[1]), r'000000\.png: lists of different lengths: .*label 1'),
        (change(width=[81, 'x']), r'000000\.png: expected lists of numbers'),
        (change(width=[81, None]), r'000000\.png: box 2 is .*nan'),
        (change(width=[81, 0]), r'000000\.png: box 2 is 0 x 219 px'),
        ({'a.png': {'height': [1]}}, r"a\.png: lacks 'left'; found height"),
        ({'a.png': [1, 2]}, r'a\.png: expected lists of numbers'),
    ],
)
def test_bad_records_are_named(tmp_path, content, message):
    records = McharFile(write(tmp_path / 'm.json', content))
    with pytest.raises(InputError, match=message):
        records[0]


@pytest.mark.parametrize('content', [[], {}, {'images': []}, 'text'])
def test_other_json(tmp_path, content):
    with pytest.raises(InputError, match=r'm\.json: not a file of that data set'):
        McharFile(write(tmp_path / 'm.json', content))


def test_no_json(tmp_path):
    (tmp_path / 'm.json').write_text('{"a"')
    with pytest.raises(InputError, match=r'm\.json: not valid JSON'):
        McharFile(tmp_path / 'm.json')
    with pytest.raises(InputError, match='no such file'):
        McharFile(tmp_path / 'none.json')


@pytest.mark.skipif(
    not SVHN_BOXES.is_file(), reason='needs the boxes of SVHN, which are not distributed'
)
def test_its_values_are_those_of_svhn(tmp_path):
    """Why pixels are taken to count from 1: record n is SVHN's image n + 1, value by value."""
    with gzip.open(SVHN_BOXES, 'rt') as file:
        svhn = json.load(file)['annotations']
    records = McharFile(write(tmp_path / 'm.json', FIRST), offset=0)
    for index in range(len(records)):
        boxes = [box['bbox'] for box in svhn if box['image_id'] == index + 1]
        assert records[index].bboxes.tolist() == boxes
