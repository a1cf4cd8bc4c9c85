"""The front door, with the weights that come along, on synthetic images."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

import mmdet_digits
from mmdet_digits import NumberReader
from mmdet_digits.errors import InputError
from mmdet_digits.reader.number_reader import RELEASED
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.synthetic.writer import DatasetSpec, draw_image

NAME = 'frcnn_tiny_synthetic_256'
BLOCKED = ('torch', 'torchvision', 'mmdet', 'mmcv', 'mmengine', 'matplotlib', 'scipy', 'rich')


@pytest.fixture(scope='module')
def reader():
    return NumberReader('synthetic', threads=1)


@pytest.fixture(scope='module')
def scenes():
    spec = DatasetSpec(train=12, valid=0, test=0, seed=5, look='clear')
    return [draw_image(spec, 'train', index) for index in range(1, 13)]


def test_it_reads_numbers(reader, scenes):
    readings = reader([scene.image for scene in scenes])
    right = sum(
        reading.number == ''.join(map(str, scene.digits))
        for reading, scene in zip(readings, scenes, strict=True)
    )
    assert right >= 9
    reading = readings[0]
    assert reading.image.shape == scenes[0].image.shape and reading.source is None


def test_every_kind_of_source_reads_alike(reader, scenes, tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), scenes[0].image)
    expected = reader(scenes[0].image)
    rgb = Image.fromarray(np.ascontiguousarray(scenes[0].image[..., ::-1]))
    bgra = np.dstack([scenes[0].image, np.zeros_like(scenes[0].image[..., 0])])
    for source in (path, str(path), path.read_bytes(), Image.open(path), rgb, bgra):
        assert reader(source).digits == expected.digits
    assert reader(path).source == reader(Image.open(path)).source == str(path)
    grey = cv2.cvtColor(scenes[0].image, cv2.COLOR_BGR2GRAY)
    assert reader(grey).digits == reader(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)).digits


def test_a_turned_photo_is_read_as_it_is_shown(reader, scenes, tmp_path):
    upright = Image.fromarray(np.ascontiguousarray(scenes[0].image[..., ::-1]))
    exif = Image.Exif()
    exif[274] = 6  # shown turned by 90 degrees
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / 'turned.png', exif=exif)
    expected = reader(upright)
    for source in (tmp_path / 'turned.png', Image.open(tmp_path / 'turned.png')):
        reading = reader(source)
        assert reading.digits == expected.digits
        assert np.array_equal(reading.image, scenes[0].image)


def test_an_image_is_read_alike_in_any_company(reader, scenes):
    images = [scene.image for scene in scenes]
    alone = [reader(image) for image in images]
    for batch_size in (5, 12):
        assert list(reader.stream(iter(images), batch_size)) == alone


def test_a_stream_takes_images_as_it_needs_them(reader, scenes):
    taken = []

    def sources():
        for scene in scenes:
            taken.append(scene)
            yield scene.image

    stream = reader.stream(sources(), batch_size=2)
    next(stream)
    assert len(taken) == 2
    assert len(list(stream)) == 11


def test_it_reads_what_torch_reads(reader, scenes):
    weights, config = f'models/{NAME}.safetensors', f'configs/digits/{NAME}.py'
    model = NumberReader(REPOSITORY / weights, config=REPOSITORY / config)
    assert model.assembly == reader.assembly
    for scene in scenes:
        ours, theirs = reader(scene.image), model(scene.image)
        assert ours.number == theirs.number
        boxes = [[digit.box for digit in reading.digits] for reading in (ours, theirs)]
        assert np.allclose(*boxes, atol=0.1)


def test_several_numbers_in_one_image(scenes):
    """Two beside each other and one below, on a wall."""
    parts = [cv2.resize(scene.image, (128, 64)) for scene in scenes[:3]]
    wall = np.full((200, 340, 3), 127, np.uint8)
    places = (20, 20), (190, 22), (100, 120)
    for (x, y), part in zip(places, parts, strict=True):
        wall[y : y + 64, x : x + 128] = part
    readings = NumberReader('synthetic', numbers='all')(wall)
    assert len(readings) == 3
    for reading, (x, y) in zip(readings, places, strict=True):
        left, top, right, bottom = reading.box
        assert x - 4 <= left < right <= x + 132 and y - 4 <= top < bottom <= y + 68


def test_a_large_photo_is_read_in_parts(scenes):
    """Two numbers far apart on a wall of 1800 x 1200 px; in one piece each digit is lost."""
    wall = np.full((1200, 1800, 3), 127, np.uint8)
    places = (150, 100), (1300, 900)
    for (x, y), scene in zip(places, scenes[8:10], strict=True):
        wall[y : y + 128, x : x + 256] = cv2.resize(scene.image, (256, 128))
    expected = [''.join(map(str, scene.digits)) for scene in scenes[8:10]]
    readings = NumberReader(numbers='all')(wall)
    assert [reading.number for reading in readings] == expected
    for reading, (x, y) in zip(readings, places, strict=True):
        left, top, right, bottom = reading.box
        assert x <= left < right <= x + 256 and y <= top < bottom <= y + 128
    reading = NumberReader()(wall)
    assert reading.number in expected
    assert {digit.reason for digit in reading.dropped} >= {'far'}


def test_the_assembly_can_be_chosen(reader, scenes):
    image = scenes[0].image
    lowest = NumberReader('synthetic', assembly=dict(max_digits=1))
    assert lowest.assembly.iou_thr == reader.assembly.iou_thr == 0.3
    assert len(lowest(image).number) == 1
    assert NumberReader('synthetic', assembly='system_a').assembly.leading_zeros is False
    with pytest.raises(ValueError, match="expected 'one' or 'all', found 'two'"):
        NumberReader('synthetic', numbers='two')
    with pytest.raises(ValueError, match="did you mean 'score_thr'"):
        NumberReader('synthetic', assembly=dict(score_tr=0.1))


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        (b'', '0 bytes'),
        (b'not an image', "beginning with b'not an i'"),
        (np.zeros((4, 4, 3)), 'an array of float64, 4 x 4 x 3'),
        (np.zeros((4, 4, 2), np.uint8), 'an array of uint8, 4 x 4 x 2'),
        (np.zeros((0, 4, 3), np.uint8), 'an array of uint8, 0 x 4 x 3'),
        (17, 'int'),
        ('missing.png', 'no such file'),
    ],
)
def test_what_is_no_image(reader, source, found):
    with pytest.raises(InputError) as caught:
        reader(source)
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        ('no.onnx', 'no.onnx: no such weights.'),
        ('best.pth', 'best.pth: cannot be read without its config.'),
        ('README.md', 'README.md: cannot be read without its config.'),
    ],
)
def test_what_are_no_weights(weights, message):
    with pytest.raises(InputError) as caught:
        NumberReader(weights)
    assert str(caught.value).startswith(message)


def test_the_weights_that_come_along_are_there():
    for file in RELEASED.values():
        assert (REPOSITORY / 'models' / file).is_file()


def test_it_needs_no_torch(scenes, tmp_path):
    """In a process where those packages cannot be imported; drawing needs none of them either."""
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), scenes[0].image)
    code = (
        f'import sys; sys.modules |= dict.fromkeys({BLOCKED})\n'
        'from mmdet_digits import NumberReader\n'
        f'reading = NumberReader("synthetic")({str(path)!r})\n'
        'print(reading.number, reading.draw().shape)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == ''.join(map(str, scenes[0].digits))


def test_the_package_names_what_it_has():
    assert mmdet_digits.NumberReader is NumberReader
    with pytest.raises(AttributeError, match='NumberWriter'):
        _ = mmdet_digits.NumberWriter
