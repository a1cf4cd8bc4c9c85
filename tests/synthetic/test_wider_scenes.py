import cv2
import numpy as np
import pytest

from mmdet_digits.synthetic import wider_scenes
from mmdet_digits.synthetic.wider_scenes import FILLS, Placed, widen

FILL_NAMES = [fill.__name__ for fill, _ in FILLS]


def number(width=90, height=40):
    """A grey image with two white digits of pure colour, and their boxes."""
    image = np.full((height, width, 3), 90, np.uint8)
    bboxes = np.array([[30.0, 8, 42, 32], [46.0, 8, 58, 32]])
    for x1, y1, x2, y2 in bboxes.astype(int):
        image[y1:y2, x1:x2] = 250
    return image, bboxes


@pytest.mark.parametrize('seed', range(20))
def test_boxes_move_with_their_digits(seed):
    image, bboxes = number()
    scene, moved = widen(image, bboxes, np.random.default_rng(seed), (0.4, 0.9))
    assert scene.dtype == np.uint8
    assert scene.shape[0] > 40 and scene.shape[1] >= 90
    assert np.allclose(moved - bboxes, np.tile(moved[0, :2] - bboxes[0, :2], 2))
    for x1, y1, x2, y2 in moved.astype(int):
        assert np.all(scene[y1:y2, x1:x2] == 250)


@pytest.mark.parametrize('seed', range(10))
def test_a_large_scene_is_reduced_with_its_boxes(seed):
    image, bboxes = (cv2.resize(number()[0], (900, 400)), 10 * number()[1])
    scene, moved = widen(image, bboxes, np.random.default_rng(seed), (0.5, 0.5), longest=300)
    assert max(scene.shape[:2]) <= 301
    height = moved[:, 3] - moved[:, 1]
    assert height / scene.shape[0] == pytest.approx([0.3, 0.3], abs=0.02)
    x1, y1, x2, y2 = np.round(moved[0]).astype(int)
    assert scene[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 240


@pytest.mark.parametrize('name', FILL_NAMES)
def test_every_fill_covers_the_scene_and_hides_the_digits(name, monkeypatch):
    """Nothing outside the image is a digit: no patch of it is like the digits of the image."""
    image, bboxes = number()
    fill = getattr(wider_scenes, name)
    borders = [50, 60, 70, 80]
    scene = fill(Placed(image, bboxes, borders, 24.0), np.random.default_rng(0))
    assert scene.shape == (40 + 110, 90 + 150, 3) and scene.dtype == np.float32
    assert np.isfinite(scene).all()
    outside = np.ones(scene.shape[:2], bool)
    outside[50:90, 70:160] = False
    digit = image[4:36, 26:62].astype(np.float32)
    likeness = cv2.matchTemplate(scene, digit, cv2.TM_SQDIFF) / digit.size
    ys, xs = np.nonzero(likeness < 200)
    assert not [1 for y, x in zip(ys, xs, strict=True) if outside[y : y + 32, x : x + 36].all()]


def test_the_same_seed_gives_the_same_scene():
    image, bboxes = number()
    one, two = (widen(image, bboxes, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one[0], two[0]) and np.array_equal(one[1], two[1])


@pytest.mark.parametrize('bboxes', [np.zeros((0, 4)), np.array([[0.0, 0, 90, 40]])])
def test_images_without_digits_or_without_a_margin(bboxes):
    image, _ = number()
    for seed in range(12):
        scene, moved = widen(image, bboxes, np.random.default_rng(seed))
        assert moved.shape == bboxes.shape and scene.shape[0] >= 40


def test_shares_of_one_leave_the_image_alone():
    image, bboxes = number()
    rng = np.random.default_rng(5)
    scene, moved = widen(image, bboxes, rng, (1.0, 1.0))
    if scene.shape == image.shape:
        assert np.array_equal(scene, image) and np.array_equal(moved, bboxes)
    assert scene.shape[0] == image.shape[0]
