from pathlib import Path

import numpy as np
import pytest
from users_files import write_layouts

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic import SceneSource, draw_scene, load_supplies
from mmdet_digits.synthetic.box_style import BoxStyle, write_box_style
from mmdet_digits.synthetic.layouts import FAR, LEAST, fill_place, read_layouts
from mmdet_digits.synthetic.scenes import plane_grid

SVHN = Path(__file__).parents[3] / 'shared' / 'data' / 'svhn-boxes' / 'train.json.gz'
NUMBERS = [  # width, height of the image; digits with x, y, w, h
    (120, 60, [('7', [52, 10, 20, 40]), ('4', [30, 10, 20, 40])]),
    (300, 200, [('1', [140, 20, 30, 60]), ('0', [130, 90, 45, 60]), ('9', [135, 155, 33, 44])]),
    (200, 90, [('8', [20, 10, 30, 45]), ('8', [60, 22, 30, 45]), ('8', [100, 34, 30, 45])]),
    (80, 40, [('5', [30, 5, 16, 30])]),
]
BLOCK = 0.5  # width / height of a glyph that may be stretched to fit every box above


@pytest.fixture(params=['layouts.json', 'layouts.json.gz'])
def layouts(request, tmp_path):
    found, notes = read_layouts(write_layouts(tmp_path / request.param, NUMBERS))
    assert notes == []
    return found


def test_numbers_are_read_from_left_to_right_or_from_top_to_bottom(layouts):
    assert [place.digits for place in layouts.places] == ['47', '109', '888', '5']
    assert layouts.places[0].boxes[0].tolist() == [30, 10, 20, 40]


def test_samples_are_the_layouts_at_about_their_size(layouts):
    rng = np.random.default_rng(0)
    for _ in range(40):
        place = layouts.sample(rng)
        (image,) = [p for p in layouts.places if p.digits == place.digits]
        scale = place.size[0] / image.size[0]
        assert 0.8 < scale < 1.25
        assert place.boxes == pytest.approx(image.boxes * scale, abs=1)


def test_glyphs_fill_their_boxes(layouts):
    """The corners of each glyph reach the sides of its box, whatever the tilt."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        place = layouts.sample(rng)
        layout = fill_place(rng, place, np.full(len(place.digits), BLOCK))
        low, high = layout.quads.min(1), layout.quads.max(1)
        assert (layout.width, layout.height) == place.size
        error = np.abs(np.concatenate([low, high - low], 1) - place.boxes)
        assert error.max() < 0.12 * place.boxes[:, 3].max()
        assert np.median(error) < 1.5


def test_a_rising_number_is_often_tilted(layouts):
    rng, place = np.random.default_rng(2), layouts.places[2]
    tilts = []
    for _ in range(60):
        quads = fill_place(rng, place, np.full(3, BLOCK)).quads
        edge = quads[1, 1] - quads[1, 0]
        tilts.append(np.degrees(np.arctan2(edge[1], edge[0])))
    assert np.mean(np.array(tilts) > 8) > 0.5  # 16.7 degrees; the others are steps
    assert min(tilts) > -8


def test_drawn_boxes_lie_where_the_file_has_them(tmp_path):
    path = write_layouts(tmp_path / 'layouts.json', NUMBERS[:1])
    supplies = load_supplies(SceneSource(layouts=str(path), without=('handwriting',)))
    errors = []
    for seed in range(40):
        scene = draw_scene(np.random.default_rng(seed), supplies)
        assert scene.digits == '47'
        scale = scene.image.shape[1] / 120
        errors.append(np.abs(scene.bboxes / scale - [[30, 10, 20, 40], [52, 10, 20, 40]]))
    assert np.median(errors) < 1.5


def test_loose_boxes_are_made_tight_first(tmp_path):
    path = write_layouts(tmp_path / 'layouts.json', NUMBERS)
    style = BoxStyle(left=0.1, right=0.1, top=0.125, bottom=0.125, offset_x=1)
    layouts, _ = read_layouts(path, style)
    height = 40 / 1.25
    expected = [30 - 1 + 0.1 * height, 10 + 0.125 * height, 20 - 0.2 * height, height]
    assert layouts.places[0].boxes[0] == pytest.approx(expected)


def test_a_narrow_one_is_not_lost_with_its_margins(tmp_path):
    path = write_layouts(tmp_path / 'layouts.json', [(60, 60, [('1', [20, 10, 8, 40])])])
    layouts, notes = read_layouts(path, BoxStyle(left=0.15, right=0.15))
    x, _, w, h = layouts.places[0].boxes[0]
    assert notes == [] and w == pytest.approx(0.12 * h) and x + w / 2 == pytest.approx(24)


def test_numbers_too_small_to_draw_are_left_out_and_told(tmp_path):
    tiny = (30, 20, [('3', [3, 3, 1.5, 5])])
    outside = (30, 20, [('3', [40, 3, 10, 15])])
    path = write_layouts(tmp_path / 'layouts.json', [*NUMBERS, tiny, outside, (50, 50, [])])
    layouts, notes = read_layouts(path)
    assert len(layouts.places) == len(NUMBERS)
    assert notes == [f'{path}: 2 of 6 numbers are left out, too small to draw.']


def far_and_wide(x, digits='47', digit=(12, 40), image=(3000, 300)):
    """A number of two digits at ``x`` in a wide image, which is reduced to 600 px."""
    wide, high = digit
    boxes = [[x, 100, wide, high], [x + wide + 2, 100, wide, high]]
    return (*image, list(zip(digits, boxes, strict=True)))


def test_wide_images_are_reduced_as_far_as_their_digits_can_be_drawn(tmp_path):
    narrow = far_and_wide(400, digit=(9, 40))  # 1.8 px at 600
    low = far_and_wide(400, digit=(12, 29))  # 5.8 px at 600
    path = write_layouts(tmp_path / 'layouts.json', [far_and_wide(400), narrow, low])
    layouts, notes = read_layouts(path)
    assert notes == [f'{path}: 2 of 3 numbers are left out, too small to draw.']
    rng = np.random.default_rng(0)
    for _ in range(40):
        place = layouts.sample(rng)
        assert place.size == (600, 60)
        assert (place.boxes[:, 2:] >= LEAST).all()


def test_small_digits_are_not_made_smaller_than_can_be_drawn(tmp_path):
    path = write_layouts(tmp_path / 'layouts.json', [(100, 50, [('3', [20, 20, 2, 7])])])
    layouts, _ = read_layouts(path)
    rng = np.random.default_rng(0)
    widths = [layouts.sample(rng).size[0] for _ in range(40)]
    assert min(widths) == 100 and max(widths) > 110


@pytest.mark.parametrize('x', [10, 1500, 2950])
def test_the_horizon_stays_outside_of_wide_images(tmp_path, x):
    """Nowhere is the wall seen beyond it, however far from the number."""
    layouts, _ = read_layouts(write_layouts(tmp_path / 'layouts.json', [far_and_wide(x)]))
    rng = np.random.default_rng(0)
    for _ in range(100):
        layout = fill_place(rng, layouts.sample(rng), np.full(2, BLOCK))
        edges = np.array([[0, 0, 1], [600, 0, 1], [600, 60, 1], [0, 60, 1]])
        nearness = edges @ np.linalg.inv(layout.plane_to_image)[2]
        assert nearness.min() > FAR - 1e-6
        u, v = plane_grid(layout, 1)
        assert np.abs(u).max() < 600 / FAR**2 and np.isfinite(v).all()


@pytest.mark.parametrize('margin', [0, -0.3])
def test_every_digit_of_a_wide_image_has_a_box(tmp_path, margin):
    """A box of a pixel or more: thinner ones are dropped by data sets, and the digit is seen."""
    path = write_layouts(tmp_path / 'layouts.json', [far_and_wide(1500, '11')])
    style = tmp_path / 'style.json'
    write_box_style(style, BoxStyle(left=margin, right=margin), {})
    supplies = load_supplies(SceneSource(layouts=str(path), box_style=str(style)))
    for seed in range(20):
        scene = draw_scene(np.random.default_rng(seed), supplies)
        x, y, w, h = scene.bboxes.T
        assert scene.digits == '11' and scene.image.shape == (60, 600, 3)
        assert min(w.min(), h.min()) >= 1
        assert (x >= 0).all() and (x + w <= 600).all() and (y >= 0).all() and (y + h <= 60).all()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'no such file'),
        ('{}', 'lacks images'),
        ('no json', 'not valid JSON'),
        ([], 'found:    0 of 0 images have boxes'),
        ([(50, 50, [])], 'found:    0 of 1 images have boxes'),
        ([(50, 50, [('3', [1, 1, 1, 1])])], 'digits of 2 x 6 px or more'),
    ],
)
def test_files_without_layouts_are_errors(tmp_path, content, message):
    path = tmp_path / 'layouts.json'
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        write_layouts(path, content)
    with pytest.raises(InputError, match=message):
        read_layouts(path)


@pytest.mark.slow
@pytest.mark.skipif(not SVHN.exists(), reason="SVHN's boxes are not here")
def test_every_layout_of_svhn_can_be_filled():
    layouts, _ = read_layouts(SVHN)
    rng = np.random.default_rng(0)
    for place in layouts.places[::10]:
        layout = fill_place(rng, place, np.full(len(place.digits), BLOCK))
        assert np.isfinite(layout.quads).all()
        assert (np.ptp(layout.quads, axis=1) > 1).all()
