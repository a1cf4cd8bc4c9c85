import gzip
import json

import pytest
from PIL import Image

from mmdet_digits.datasets.converters.image_sizes import (
    ImageSizes,
    image_files,
    image_size,
    read_sizes,
)
from mmdet_digits.datasets.converters.records import make_record
from mmdet_digits.utils.errors import InputError


def record(size=None):
    return make_record('1.png', [], [], 'file.xml', size)


def test_from_the_image(tmp_path):
    Image.new('RGB', (30, 20)).save(tmp_path / '1.png')
    assert ImageSizes(tmp_path)(record()) == (30, 20)
    assert ImageSizes(tmp_path)(record((30, 20))) == (30, 20)
    with pytest.raises(InputError, match=r'file\.xml: the image is 30 x 20 px, .* says 20 x 30'):
        ImageSizes(tmp_path)(record((20, 30)))


def test_a_turned_photograph(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new('RGB', (30, 20)).save(tmp_path / '1.jpg', exif=exif)
    assert image_size(tmp_path / '1.jpg') == (20, 30)


def test_from_a_table_or_the_annotation():
    assert ImageSizes(table={'1.png': (30, 20)})(record()) == (30, 20)
    assert ImageSizes()(record((5, 6))) == (5, 6)
    with pytest.raises(InputError, match=r'size of 1\.png is not known: give --images'):
        ImageSizes()(record())
    with pytest.raises(InputError, match=r'not known: it is not in the table'):
        ImageSizes(table={'2.png': (30, 20)})(record())


def test_images_that_are_missing_or_none(tmp_path):
    with pytest.raises(InputError, match=r'file\.xml: .*1\.png is not there'):
        ImageSizes(tmp_path)(record())
    (tmp_path / '1.png').write_text('text')
    with pytest.raises(InputError, match=r'1\.png: not readable as an image'):
        ImageSizes(tmp_path)(record())


def test_tables(tmp_path):
    coco = {'images': [{'file_name': '1.png', 'width': 30, 'height': 20}]}
    (tmp_path / 'coco.json.gz').write_bytes(gzip.compress(json.dumps(coco).encode()))
    (tmp_path / 'plain.json').write_text('{"1.png": [30, 20]}')
    assert read_sizes(tmp_path / 'coco.json.gz') == {'1.png': (30, 20)}
    assert read_sizes(tmp_path / 'plain.json') == {'1.png': (30, 20)}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"1.png": 30}', r't\.json: no table of sizes'),
        ('{"1.png": [30]}', 'no table of sizes'),
        ('[1]', 'no table of sizes'),
        ('{"images": [{"file_name": "1.png"}]}', r"no table of sizes\.\n  found: .*'width'"),
        ('{"1.png": [0, 20]}', r'1\.png is 0 x 20 px'),
        ('{', 'not valid JSON'),
    ],
)
def test_bad_tables(tmp_path, text, message):
    (tmp_path / 't.json').write_text(text)
    with pytest.raises(InputError, match=message):
        read_sizes(tmp_path / 't.json')


def test_images_come_in_natural_order(tmp_path):
    for name in ('10.png', '9.png', 'b.jpg', 'A.PNG', 'notes.txt'):
        (tmp_path / name).write_text('')
    assert [p.name for p in image_files(tmp_path)] == ['9.png', '10.png', 'A.PNG', 'b.jpg']
