import re

import cv2
import numpy as np
import pytest

from mmdet_digits.synthetic import DatasetSpec, draw_scene, load_supplies
from mmdet_digits.synthetic.layouts import FAR, Layout, sample_layout
from mmdet_digits.synthetic.parameters import GENERATOR_VERSION
from mmdet_digits.synthetic.scenes import (
    BOX_THRESHOLD,
    adjust_tone,
    digit_masks,
    plane_grid,
    tight_boxes,
)
from mmdet_digits.synthetic.writer import draw_image


def scenes(count, first=0, look='street'):
    supplies = load_supplies()
    generators = [np.random.default_rng(first + i) for i in range(count)]
    return [draw_scene(rng, supplies, look=look) for rng in generators]


def test_a_scene_is_an_image_with_one_box_per_digit():
    for scene in scenes(150):
        height, width, channels = scene.image.shape
        assert scene.image.dtype == np.uint8 and channels == 3
        assert re.fullmatch('[0-9]+', scene.digits)
        assert scene.bboxes.shape == (len(scene.digits), 4)
        x, y, w, h = scene.bboxes.T
        assert (w >= 1).all() and (h >= 5).all()
        assert (x >= 0).all() and (y >= 0).all()
        assert (x + w <= width).all() and (y + h <= height).all()


def test_boxes_are_in_reading_order():
    for scene in scenes(150, first=500):
        centres = scene.bboxes[:, :2] + scene.bboxes[:, 2:] / 2
        dx, dy = np.diff(centres, axis=0).T
        assert (dx > 0).all() or (dy > 0).all(), scene.digits


def test_the_wished_number_is_drawn():
    scene = draw_scene(np.random.default_rng(1), load_supplies(), '0907')
    assert scene.digits == '0907' and len(scene.bboxes) == 4


def test_clear_scenes_have_larger_and_sharper_digits_than_street_scenes():
    def height_and_sharpness(look):
        drawn = scenes(150, look=look)
        edges = [cv2.Laplacian(scene.image, cv2.CV_32F).std() for scene in drawn]
        return np.median([scene.bboxes[:, 3].min() for scene in drawn]), np.median(edges)

    street, clear = height_and_sharpness('street'), height_and_sharpness('clear')
    assert clear[0] > street[0]
    assert clear[1] > street[1]


@pytest.mark.parametrize(
    ('look', 'digits', 'boxes', 'grey'),
    [
        ('street', '66', [[77.5, 22.5, 16, 37.5], [102, 23.5, 15.5, 37]], 94.2),
        ('clear', '66', [[70, 16, 20, 48], [101, 17, 20, 48]], 121.8),
    ],
)
def test_default_scenes_stay_those_of_this_generator_version(look, digits, boxes, grey):
    """If this fails on purpose, raise GENERATOR_VERSION. Libraries may round differently."""
    assert GENERATOR_VERSION == 1
    scene = draw_image(DatasetSpec(look=look), 'train', 2)
    assert scene.digits == digits
    assert scene.bboxes == pytest.approx(np.array(boxes), abs=0.5)
    assert scene.image.mean() == pytest.approx(grey, abs=1)


def test_same_generator_same_scene():
    first, second = (draw_scene(np.random.default_rng(8), load_supplies()) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.bboxes, second.bboxes)


@pytest.mark.parametrize('scale', [1, 2])
def test_boxes_touch_the_drawn_digit_on_all_sides(scale):
    rng = np.random.default_rng(2)
    shapes = [load_supplies().glyphs.truetype['DejaVuSerif-Bold'][d] for d in (4, 0, 7)]
    for _ in range(30):
        layout = sample_layout(rng, '407', np.array([s.shape[1] / 64 for s in shapes]), 0.5)
        masks = digit_masks(layout, shapes, scale)
        for mask, (x, y, w, h) in zip(masks, tight_boxes(masks).astype(int), strict=True):
            inside = mask >= BOX_THRESHOLD * mask.max()
            assert inside[y : y + h, x : x + w].sum() == inside.sum()
            part = inside[y : y + h, x : x + w]
            assert part[0].any() and part[-1].any() and part[:, 0].any() and part[:, -1].any()


def test_boxes_agree_with_the_geometry():
    """An upright rectangle as a glyph: its box is where the layout puts its corners."""
    rng = np.random.default_rng(4)
    block = np.full((64, 32), 255, np.uint8)
    for _ in range(40):
        layout = sample_layout(rng, '8', np.array([0.5]), 0.5)
        box = tight_boxes(digit_masks(layout, [block], 2))[0] / 2
        low, high = layout.quads[0].min(0), layout.quads[0].max(0)
        # Sharp corners of a slanted block are below the threshold, by a pixel at most.
        assert np.abs(box - [*low, *(high - low)]).max() < 1.6


@pytest.mark.parametrize('strength', [0.001, 0.01, 0.02, 0.1])
def test_the_wall_has_an_end_where_the_middle_of_the_image_is_past_the_horizon(strength):
    """The horizon crosses the image at 1 / strength px from a number at its left edge."""
    view = np.array([[1, 0, 15.5], [0, 1, 30], [0, 0, 1]]) @ [
        [1, 0, 0],
        [0, 1, 0],
        [strength, 0, 1],
    ]
    number = np.array([np.diag([20.0, 30.0, 1.0])])
    u, v = plane_grid(Layout('7', 200, 60, 30.0, number, view), 1)
    assert np.abs(u).max() < 200 / FAR**2 and np.isfinite(v).all()


def test_digits_stand_out_from_their_ground():
    """Where a digit is, the picture differs from the rest of its box: it can be read."""
    weak = 0
    for scene in scenes(120, first=900):
        grey = cv2.cvtColor(scene.image, cv2.COLOR_BGR2GRAY)
        for x, y, w, h in scene.bboxes.astype(int):
            part = grey[y : y + h, x : x + w]
            weak += np.ptp(np.percentile(part, [5, 95])) < 12
    assert weak <= 5


def test_tone_never_clips_the_number_away():
    rng = np.random.default_rng(0)
    image = np.full((20, 40, 3), 120, np.float32)
    image[5:15, 10:20] = 220
    for _ in range(200):
        toned = adjust_tone(image, rng, ink=220.0, ground=120.0)
        ink, ground = (np.clip(toned[y, x].mean(), 0, 255) for y, x in ((10, 15), (0, 0)))
        assert abs(ink - ground) > 15
