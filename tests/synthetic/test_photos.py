import cv2
import numpy as np
import pytest
from users_files import write_photos

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.user_files import find_photos


def test_crops_have_the_size_and_the_colour_of_a_photo(tmp_path):
    photos, rng = find_photos(write_photos(tmp_path / 'photos')), np.random.default_rng(0)
    colours = set()
    for width, height in [(40, 20), (20, 40), (600, 30), (300, 280)] * 4:
        wall = photos.crop(rng, width, height)
        assert wall.shape == (3, height, width) and wall.dtype == np.float32
        blue, _, red = wall.mean((1, 2))
        colours.add('red' if red > blue else 'blue')
    assert colours == {'red', 'blue'}


def test_same_generator_same_crop(tmp_path):
    photos = find_photos(write_photos(tmp_path / 'photos'))
    crops = [photos.crop(np.random.default_rng(3), 50, 30) for _ in range(2)]
    assert np.array_equal(*crops)


@pytest.mark.parametrize('shape', [(1, 1), (2, 3000), (3000, 2), (1000, 800)])
def test_photos_of_odd_sizes_will_do(tmp_path, shape):
    cv2.imwrite(str(tmp_path / 'photo.png'), np.full((*shape, 3), 90, np.uint8))
    wall = find_photos(tmp_path).crop(np.random.default_rng(0), 60, 30)
    assert wall.shape == (3, 30, 60) and wall.mean() == pytest.approx(90, abs=1)


def test_a_photo_that_breaks_off_names_itself(tmp_path):
    folder = write_photos(tmp_path / 'photos')
    (folder / 'zebra.png').write_bytes(b'')
    photos, rng = find_photos(folder), np.random.default_rng(0)
    with pytest.raises(InputError, match=r'zebra\.png: cannot be decoded'):
        for _ in range(30):
            photos.crop(rng, 40, 20)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda path: path / 'absent', 'absent is no folder'),
        (lambda path: path, 'no photograph in it'),
        (lambda path: (path / 'a.jpg').write_text('text') and path, r'a\.jpg: cannot be decoded'),
    ],
)
def test_no_photos_is_an_error(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        find_photos(make(tmp_path))
