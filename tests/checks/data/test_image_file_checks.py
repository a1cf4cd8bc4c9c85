import io
import os
import struct
from zlib import crc32

import cv2
import numpy as np
import pytest
from check_samples import SIZE, draw, failures, make_coco, outcome, table_of, write_split
from PIL import Image

from mmdet_digits import image_reading
from mmdet_digits.checks.data.images import check_image_files, encode_plainly, read_images

ROTATED = {274: 6}


def encoded(format_='PNG', mode='RGB', exif=None, size=SIZE, seed=5):
    """The bytes of an image of noise."""
    image = Image.fromarray(draw(seed, size)).convert(mode)
    tags = Image.Exif()
    tags.update(exif or {})
    buffer = io.BytesIO()
    image.save(buffer, format_, **({'exif': tags} if exif else {}))
    return buffer.getvalue()


def deep(channels):
    return cv2.imencode('.png', draw(5, channels=channels, dtype=np.uint16))[1].tobytes()


def check(tmp_path, content, decode, name='2.png'):
    """The checks of a data set where one file is replaced."""
    coco = make_coco()
    split = write_split(tmp_path, coco=coco)
    (split.image_dir / '2.png').unlink()
    coco['images'][1]['file_name'] = name
    (split.image_dir / name).write_bytes(content)
    paths = [split.image_dir / image['file_name'] for image in coco['images']]
    facts = dict(enumerate(read_images(paths, decode, workers=2)))
    return check_image_files(table_of(coco), facts)


PNG = encoded()


@pytest.mark.parametrize('decode', [False, True], ids=['headers', 'decoded'])
@pytest.mark.parametrize(
    ('content', 'name', 'expected', 'said'),
    [
        (PNG, '2.png', None, ''),
        (encoded('JPEG'), '2.jpg', None, ''),
        (encoded('JPEG', 'L'), '2.JPEG', None, ''),
        (encoded('WEBP'), '2.webp', None, ''),
        (b'', '2.png', 'unreadable images', '0 bytes'),
        (b'<html>', '2.png', 'unreadable images', "no image, beginning with b'<html>'"),
        (PNG[:20], '2.png', 'unreadable images', '20 bytes'),
        (encoded(size=(41, 20)), '2.png', 'image sizes', '40 x 20 in the JSON, 41 x 20 in'),
        (encoded('JPEG'), '2.png', 'misnamed images', 'image 2 (2.png): holds JPEG'),
        (PNG, '2.jpg', 'misnamed images', 'holds PNG'),
        (deep(3), '2.png', 'pixel formats', '16 bits'),
        (deep(1), '2.png', 'pixel formats', '16 bits'),
        (encoded('JPEG', 'CMYK'), '2.jpg', 'pixel formats', 'CMYK'),
        (encoded(mode='RGBA'), '2.png', 'pixel formats', 'alpha channel'),
        (encoded(mode='LA'), '2.png', 'pixel formats', 'alpha channel'),
        (encoded(mode='P'), '2.png', 'pixel formats', 'palette'),
        (encoded('GIF', 'P'), '2.gif', 'pixel formats', 'palette'),
    ],
)
def test_what_a_file_is(tmp_path, content, name, expected, said, decode):
    checks = check(tmp_path, content, decode, name)
    assert list(failures(checks)) == [expected] * (expected is not None)
    if expected:
        found = outcome(checks, expected).found
        assert found.startswith('1: image 2') and said in found


@pytest.mark.parametrize(
    'content',
    [
        PNG[:500] + bytes([PNG[500] ^ 1]) + PNG[501:],
        encoded('JPEG')[:-200],  # OpenCV fills it up with grey
    ],
    ids=['one bit', 'JPEG'],
)
def test_damage_behind_the_header_needs_decoding(tmp_path, content):
    assert failures(check(tmp_path, content, decode=False)).keys() <= {'misnamed images'}
    checks = check(tmp_path, content, decode=True)
    assert outcome(checks, 'unreadable images').status == 'fail'
    assert 'cut off or damaged' in outcome(checks, 'unreadable images').found


@pytest.mark.parametrize('decode', [False, True], ids=['headers', 'decoded'])
@pytest.mark.parametrize('length', [len(PNG) // 2, len(PNG) - 5])  # OpenCV insists on the end
def test_a_png_that_was_cut_off_is_told_without_decoding_too(tmp_path, length, decode):
    checks = check(tmp_path, PNG[:length], decode)
    assert outcome(checks, 'unreadable images').status == 'fail'
    assert 'cut off or damaged' in outcome(checks, 'unreadable images').found


@pytest.mark.parametrize('decode', [False, True], ids=['headers', 'decoded'])
@pytest.mark.parametrize(('format_', 'turned'), [('PNG', True), ('JPEG', True), ('WEBP', False)])
def test_the_size_is_that_which_training_sees(tmp_path, format_, turned, decode):
    name = f'2.{format_.lower()}'
    checks = check(tmp_path, encoded(format_, exif=ROTATED), decode, name)
    assert outcome(checks, 'images turned by an EXIF tag').status == 'warn'
    sizes = outcome(checks, 'image sizes')
    assert (sizes.status == 'fail') == turned
    if turned:
        assert '40 x 20 in the JSON, 20 x 40 in the file (turned by its EXIF tag)' in sizes.found


def test_the_same_pixels_are_found_in_another_file(tmp_path):
    same = Image.fromarray(draw(seed=3)[..., ::-1])
    buffer = io.BytesIO()
    same.save(buffer, 'BMP')
    checks = check(tmp_path, buffer.getvalue(), decode=True, name='2.bmp')
    assert failures(checks) == {'same image twice': 'warn'}
    assert outcome(checks, 'same image twice').found == '1: image 2 (2.bmp) = image 3 (3.png)'


def test_without_decoding_nothing_is_said_about_pixels(tmp_path):
    names = {check.name for check in check(tmp_path, PNG, decode=False)}
    assert 'same image twice' not in names


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read every file')
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / '1.png'
    path.write_bytes(PNG)
    path.chmod(0)
    (fact,) = read_images([path], decode=True)
    assert 'cannot be opened' in fact.problem


def test_a_file_that_is_gone(tmp_path):
    for decode in (False, True):
        (fact,) = read_images([tmp_path / 'gone.png'], decode)
        assert 'cannot be opened' in fact.problem


def test_every_image_is_counted_once_and_in_order(tmp_path):
    split = write_split(tmp_path, coco=make_coco(images=9))
    paths = [split.image_dir / f'{number}.png' for number in range(1, 10)]
    count = []
    facts = read_images(paths, True, workers=3, advance=lambda: count.append(1))
    assert len(count) == 9
    assert [fact.digest for fact in facts] == [read_images([p], True)[0].digest for p in paths]


@pytest.mark.parametrize(
    ('content', 'as_shown', 'size'),
    [
        (deep(3), True, (40, 20)),
        (encoded('JPEG', 'CMYK'), True, (40, 20)),
        (encoded('JPEG', exif=ROTATED), True, (20, 40)),
        (encoded('JPEG', exif=ROTATED), False, (40, 20)),
    ],
)
def test_plain_copies(tmp_path, content, as_shown, size):
    (tmp_path / 'in').write_bytes(content)
    (tmp_path / 'out.png').write_bytes(encode_plainly(tmp_path / 'in', as_shown))
    (fact,) = read_images([tmp_path / 'out.png'], decode=True)
    assert (fact.problem, fact.size, fact.mode) == ('', size, 'RGB')
    assert not fact.deep and not fact.turned


def chunk(kind, content):
    return (
        struct.pack('>I', len(content)) + kind + content + struct.pack('>I', crc32(kind + content))
    )


TIME = chunk(b'tIME', bytes([7, 219, 1, 1, 0, 0, 0]))
BROKEN_TIME = TIME[:-1] + b'?'


@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', 'RGBA', 'I;16', '1'])
@pytest.mark.parametrize(
    'more', [b'', TIME, BROKEN_TIME, chunk(b'tEXt', b'a\0b')], ids=['', 'time', 'broken', 'text']
)
@pytest.mark.parametrize(('place', 'bit'), [(0, 0), (3, 1), (17, 1), (24, 1), (28, 1), (32, 1)])
def test_headers_of_pngs_tell_what_pillow_tells(tmp_path, monkeypatch, mode, more, place, bit):
    content = bytearray(encoded(mode=mode))
    content[33:33] = more
    content[place] ^= bit  # a damaged signature, width, depth, interlacing or checksum
    for name, length in (('whole.png', None), ('cut.png', 45), ('shorter.png', 30)):
        (tmp_path / name).write_bytes(content[:length])
    paths = sorted(tmp_path.iterdir())
    found = read_images(paths, decode=False)
    monkeypatch.setattr(image_reading, '_plain_png', lambda head: ((0, 0), ''))
    assert found == read_images(paths, decode=False)
