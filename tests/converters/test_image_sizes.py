import gzip
import json

import cv2
import pytest
from PIL import Image

from mmdet_digits.checks.data.images import read_images
from mmdet_digits.converters.image_sizes import (
    ImageSizes,
    image_size,
    read_sizes,
)
from mmdet_digits.converters.records import make_record
from mmdet_digits.errors import InputError


def record(size=None):
    return make_record('1.png', [], [], 'file.xml', size)


def test_from_the_image(tmp_path):
    Image.new('RGB', (30, 20)).save(tmp_path / '1.png')
    assert ImageSizes(tmp_path)(record()) == (30, 20)
    assert ImageSizes(tmp_path)(record((30, 20))) == (30, 20)
    with pytest.raises(InputError, match=r'file\.xml: the image is 30 x 20 px, .* says 20 x 30'):
        ImageSizes(tmp_path)(record((20, 30)))


@pytest.mark.parametrize('ending', ['jpg', 'png', 'webp'])
@pytest.mark.parametrize('turn', range(10))
def test_turned_as_opencv_turns_it(tmp_path, ending, turn):
    exif = Image.Exif()
    exif[274] = turn
    path = tmp_path / f'1.{ending}'
    Image.new('RGB', (30, 20)).save(path, exif=exif)
    assert image_size(path) == cv2.imread(str(path)).shape[1::-1]


@pytest.mark.parametrize(
    'exif',
    [
        b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0',
        b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06\0\0\0\0',
        b'Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0',
        b'Exif\0\0no block',
        b'Exif\0\0',
    ],
    ids=['Motorola', '32 bits', 'cut off', 'text', 'empty'],
)
def test_exif_blocks_as_opencv_reads_them(tmp_path, exif):
    path = tmp_path / '1.jpg'
    Image.new('RGB', (30, 20)).save(path, exif=exif)
    assert image_size(path) == cv2.imread(str(path)).shape[1::-1]


def test_exif_behind_the_pixels_of_a_png(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / '1.png'
    Image.new('RGB', (30, 20)).save(path, exif=exif)
    data = path.read_bytes()
    start = data.index(b'eXIf') - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    last = data.index(b'IEND') - 4
    path.write_bytes(data[:start] + data[end:last] + data[start:end] + data[last:])
    assert image_size(path) == cv2.imread(str(path)).shape[1::-1] == (20, 30)
    for decode in (False, True):
        (fact,) = read_images([path], decode)
        assert (fact.size, fact.stored_size, fact.turned) == ((20, 30), (30, 20), True)


def test_the_pixels_of_an_image_are_not_read(tmp_path):
    path = tmp_path / '1.png'
    Image.effect_noise((300, 200), 50).save(path)
    data = path.read_bytes()
    start = data.index(b'IDAT') + 4
    path.write_bytes(data[:start] + bytes(len(data) - start - 16) + data[-16:])
    assert image_size(path) == (300, 200)
    path.write_bytes(data[:-20])
    with pytest.raises(
        InputError, match=r'1\.png: not readable as an image \(EOFError: it was cut'
    ):
        image_size(path)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'WEBP', 'TIFF'])
def test_a_damaged_image_is_one_bad_record(tmp_path, kind):
    """Whichever byte is wrong: the size is read, or the message names the file."""
    path = tmp_path / 'x.img'
    exif = Image.Exif()
    exif[274] = 6
    Image.new('RGB', (30, 20)).save(path, kind, exif=exif)
    sound, refused = path.read_bytes(), 0
    for index in range(min(len(sound), 120)):
        for value in (0, 255, sound[index] ^ 1):
            path.write_bytes(sound[:index] + bytes([value]) + sound[index + 1 :])
            try:
                assert min(image_size(path)) > 0
            except InputError as error:
                assert str(error).startswith(f'{path}: not readable as an image')
                refused += 1
    assert refused


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
        ('{"1.png": [Infinity, 20]}', 'no table of sizes'),
        ('{"1.png": [0, 20]}', r'1\.png is 0 x 20 px'),
        ('{', 'not valid JSON'),
    ],
)
def test_bad_tables(tmp_path, text, message):
    (tmp_path / 't.json').write_text(text)
    with pytest.raises(InputError, match=message):
        read_sizes(tmp_path / 't.json')
