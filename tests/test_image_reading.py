"""One decoder for the detector, the drawer and the checks, and what it does not open."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet_digits.checks.data.images import read_images
from mmdet_digits.converters.image_sizes import image_size
from mmdet_digits.datasets.transforms.load_checked_image import LoadCheckedImage
from mmdet_digits.errors import InputError
from mmdet_digits.image_reading import check_image, load_image
from mmdet_digits.visualization.digit_pictures import load_rgb

NOISE = np.random.default_rng(1).integers(0, 256, (20, 40, 3)).astype(np.uint8)


def saved(path, format_, mode='RGB', orientation=None):
    tags = Image.Exif()
    tags[274] = orientation
    options = dict(exif=tags) if orientation else {}
    Image.fromarray(NOISE).convert(mode).save(path, format_, **options)


def detected(path, **options):
    """The pixels that the model gets."""
    return LoadCheckedImage(**options).transform(dict(img_path=str(path)))['img']


@pytest.mark.parametrize(
    ('format_', 'mode', 'orientation'),
    [
        *(('JPEG', 'RGB', orientation) for orientation in range(1, 9)),
        ('PNG', 'RGB', 6),
        ('WEBP', 'RGB', 6),
        ('TIFF', 'RGB', 6),
        ('JPEG', 'CMYK', None),
        ('PNG', 'RGBA', None),
        ('PNG', 'P', None),
        ('PNG', 'L', None),
        ('PNG', 'LA', None),
        ('BMP', 'RGB', None),
    ],
)
def test_drawn_and_measured_as_it_is_detected(tmp_path, format_, mode, orientation):
    path = tmp_path / 'image'
    saved(path, format_, mode, orientation)
    pixels = detected(path)
    assert np.array_equal(load_rgb(path), pixels[..., ::-1])
    size = pixels.shape[1], pixels.shape[0]
    assert [fact.size for decode in (False, True) for fact in read_images([path], decode)] == [
        size,
        size,
    ]
    if format_ in ('JPEG', 'PNG'):
        assert size == ((20, 40) if (orientation or 1) >= 5 else (40, 20))
        assert image_size(path) == size


def test_sixteen_bits_are_drawn_as_they_are_detected(tmp_path):
    path = tmp_path / '1.png'
    cv2.imwrite(str(path), NOISE.astype(np.uint16) * 257)
    assert np.array_equal(load_rgb(path), NOISE[..., ::-1])
    assert np.array_equal(detected(path), NOISE)


def png_header(width, height):
    content = b'IHDR' + struct.pack('>2I5B', width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack('>I', zlib.crc32(content))
    return b'\x89PNG\r\n\x1a\n\0\0\0\r' + content + checksum + b'\0\0\0\0IEND\xaeB`\x82'


def bmp_header(width, height):
    data = io.BytesIO()
    Image.new('RGB', (1, 1)).save(data, 'BMP')
    return data.getvalue()[:18] + struct.pack('<2i', width, height) + data.getvalue()[26:]


@pytest.mark.parametrize(
    ('header', 'side', 'found'),
    [
        (png_header, 30_000, '30,000 x 30,000'),
        (bmp_header, 11_000, '11,000 x 11,000'),
        (bmp_header, 30_000, '900000000 pixels'),  # Pillow says no more
    ],
)
def test_images_of_too_many_pixels_are_not_decoded(tmp_path, header, side, found):
    path = tmp_path / 'bomb'
    path.write_bytes(header(side, side))
    for read in (load_image, detected):
        with pytest.raises(InputError, match='more than 100,000,000 pixels') as error:
            read(path)
        assert found in error.value.found
    for decode in (False, True):
        (fact,) = read_images([path], decode)
        assert 'more than 100,000,000 pixels' in fact.problem


def test_the_limit_is_the_callers(tmp_path):
    saved(tmp_path / '1.png', 'PNG')
    assert detected(tmp_path / '1.png', max_pixels=800).shape == (20, 40, 3)
    with pytest.raises(InputError, match='more than 799 pixels') as error:
        detected(tmp_path / '1.png', max_pixels=799)
    assert error.value.found == '40 x 20'


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to('/dev/zero')


def loop(path):
    path.symlink_to(path.name)


def folder(path):
    path.mkdir()


@pytest.mark.skipif(os.name != 'posix', reason='needs pipes and devices')
@pytest.mark.parametrize(
    ('make', 'found'),
    [
        (pipe, 'no regular file'),
        (device, 'no regular file'),
        (loop, 'Too many levels'),
        (folder, 'Is a directory'),
        (lambda path: None, 'no such file'),
        (lambda path: path.touch(), '0 bytes'),
        (lambda path: path.write_bytes(b'<html>'), "beginning with b'<html>'"),
    ],
)
def test_what_is_no_image_is_named_and_not_opened(tmp_path, make, found):
    path = tmp_path / '1.png'
    make(path)
    for read in (check_image, load_image, detected):
        with pytest.raises(InputError, match=r'1\.png') as error:
            read(path)
        assert found in error.value.found
    for decode in (False, True):
        (fact,) = read_images([path], decode)
        assert fact.problem


def png(**options):
    data = io.BytesIO()
    Image.fromarray(NOISE).save(data, 'PNG', **options)
    return data.getvalue()


@pytest.mark.parametrize(
    'content',
    [
        png_header(40, 20)[:-12],  # cut off before its pixels
        png()[:1000],
        png()[:-3],
        png().replace(png()[33:41], b'\x7f\xff\xff\xffIDAT'),  # a chunk of 2 GB, it says
    ],
)
def test_of_a_file_cut_off_the_decoders_print_nothing(tmp_path, capfd, content):
    path = tmp_path / '1.png'
    path.write_bytes(content)
    for read in (load_image, detected):
        with pytest.raises(InputError, match=r'1\.png: cannot be decoded'):
            read(path)
    assert capfd.readouterr().err == ''
    assert read_images([path], decode=True)[0].problem


def test_what_follows_the_image_in_a_file_does_no_harm(tmp_path):
    path = tmp_path / '1.png'
    path.write_bytes(png() + b'more')
    assert np.array_equal(load_image(path), NOISE[..., ::-1])
