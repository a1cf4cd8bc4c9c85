import cv2
import numpy as np
import pytest
from users_files import pictures, write_digit_folders, write_idx, write_npz

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.glyphs import GLYPH_HEIGHT, INK
from mmdet_digits.synthetic.user_files import read_glyph_samples, smooth_glyph


def by_hand(digit, side=28):
    images, labels = pictures(1, side)
    return smooth_glyph(images[labels == digit][0])


def likeness(a, b):
    size = (32, 32)
    a, b = (cv2.resize(glyph, size).astype(float).ravel() for glyph in (a, b))
    return np.corrcoef(a, b)[0, 1]


WRITERS = {
    'npz': lambda folder: write_npz(folder / 'mnist.npz'),
    'idx': lambda folder: write_idx(folder / 'idx', compressed=False),
    'idx.gz': lambda folder: write_idx(folder / 'idx', compressed=True),
    'folders': lambda folder: write_digit_folders(folder / 'digits'),
    'folders, light on dark': lambda folder: write_digit_folders(folder / 'digits', True),
}


@pytest.mark.parametrize('kind', WRITERS)
def test_every_format_gives_the_digits_it_shows(tmp_path, kind):
    samples, notes = read_glyph_samples(WRITERS[kind](tmp_path))
    assert notes == []
    assert [len(s) for s in samples] == [2 if 'folders' in kind else 3] * 10
    for digit in range(10):
        glyph = samples[digit][0]
        assert glyph.shape[0] == GLYPH_HEIGHT and glyph.dtype == np.uint8
        likest = max(range(10), key=lambda other: likeness(glyph, by_hand(other)))
        assert likest == digit


def test_transparency_is_the_shape(tmp_path):
    folder = write_digit_folders(tmp_path / 'digits')
    shape = pictures(1, 60)[0][7]
    white = np.full((60, 60, 3), 255, np.uint8)
    for path in (folder / '7').iterdir():
        cv2.imwrite(str(path), np.dstack([white, shape]))
    samples, _ = read_glyph_samples(folder)
    assert likeness(samples[7][0], by_hand(7)) > 0.8


def test_enlarged_glyph_has_a_sharp_edge():
    glyph = by_hand(4)
    between = ((glyph > 40) & (glyph < 215)).mean()
    assert between < 0.2
    assert glyph.max() == 255 and glyph.min() == 0


@pytest.mark.parametrize('light', [INK, 255])
def test_a_dot_or_a_faint_line_is_a_glyph_too(light):
    picture = np.zeros((28, 28), np.uint8)
    picture[10, 10] = light
    assert smooth_glyph(picture).shape[0] == GLYPH_HEIGHT
    picture[4:24, 10] = light
    line = smooth_glyph(picture)
    assert line.shape[0] == GLYPH_HEIGHT > 3 * line.shape[1]


def test_pictures_without_ink_are_left_out_and_told(tmp_path):
    images, labels = pictures()
    images[np.flatnonzero(labels == 5)[0]] = 0
    samples, notes = read_glyph_samples(write_npz(tmp_path / 'g.npz', images))
    assert [len(s) for s in samples] == [3] * 5 + [2] + [3] * 4
    assert notes == [f'{tmp_path / "g.npz"}: 1 pictures without ink are left out.']


def no_digit_folders(path):
    (path / 'digits' / '1').mkdir(parents=True)
    return path / 'digits'


def empty_folder_of_3(path):
    folder = write_digit_folders(path / 'digits')
    for file in (folder / '3').iterdir():
        file.unlink()
    return folder


def broken_picture(path):
    folder = write_digit_folders(path / 'digits')
    next((folder / '3').iterdir()).write_bytes(b'no picture')
    return folder


def cut_idx(path):
    folder = write_idx(path / 'idx', compressed=False)
    file = folder / 'train-images-idx3-ubyte'
    file.write_bytes(file.read_bytes()[:-5])
    return folder


def cut_gzip(path):
    folder = write_idx(path / 'idx', compressed=True)
    file = folder / 'train-images-idx3-ubyte.gz'
    data = bytearray(file.read_bytes())
    data[30:60] = bytes(30)
    file.write_bytes(data)
    return folder


def no_labels(path):
    folder = write_idx(path / 'idx', compressed=True)
    (folder / 'train-labels-idx1-ubyte.gz').unlink()
    return folder


def text_file(path):
    (path / 'glyphs.npz').write_text('no archive')
    return path / 'glyphs.npz'


def other_keys(path):
    np.savez(path / 'glyphs.npz', images=pictures()[0])
    return path / 'glyphs.npz'


def objects(path):
    np.savez(path / 'glyphs.npz', x_train=np.array([print], object), y_train=np.zeros(1))
    return path / 'glyphs.npz'


def one_array(path):
    np.save(path / 'glyphs.npy', pictures()[0])
    return path / 'glyphs.npy'


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda path: path / 'absent.npz', r'absent\.npz: no such file'),
        (text_file, 'no sound .npz file'),
        (other_keys, 'found:    a file with images'),
        (objects, 'no sound .npz file'),
        (one_array, 'no sound .npz file'),
        (lambda path: write_npz(path / 'g.npz', labels=np.arange(30)), 'labels from 0 to 29'),
        (lambda path: write_npz(path / 'g.npz', labels=np.zeros(3, int)), r'labels \(3,\)'),
        (lambda path: write_npz(path / 'g.npz', labels=np.ones(30, int)), 'none of 0, 2, 3'),
        (lambda path: path, 'an empty folder; no folder 0, 1'),
        (no_digit_folders, 'found:    1; no folder 0, 2'),
        (empty_folder_of_3, 'found:    none of 3'),
        (broken_picture, r"\.png: cannot be decoded(?s:.*)b'no pictu'"),
        (cut_idx, 'no sound idx file'),
        (cut_gzip, 'no sound idx file'),
        (no_labels, 'train-labels-idx1-ubyte: no such file'),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, make, message):
    with pytest.raises(InputError, match=message) as caught:
        read_glyph_samples(make(tmp_path))
    assert 'expected:' in str(caught.value) and 'fix:' in str(caught.value)
