import json

import numpy as np
import pytest

from mmdet_digits.boxes import clip_boxes, corners, ious
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.box_style import (
    BoxStyle,
    fit_box_style,
    read_box_style,
    write_box_style,
)

LOOSE = BoxStyle(left=0.12, right=0.08, top=0.06, bottom=0.03, offset_x=1, offset_y=1)
TIGHTER = BoxStyle(left=-0.05, right=-0.02, top=-0.04, bottom=0.0, offset_x=-0.5)
VERY_LOOSE = BoxStyle(left=0.3, right=0.3, top=0.25, bottom=0.25, offset_x=2)  # IoU below 0.5


def digits(count, seed=0):
    """(count, 4) tight boxes, as high as SVHN's digits and as narrow as a 1 now and then."""
    rng = np.random.default_rng(seed)
    height = np.exp(rng.normal(np.log(28), 0.5, count)).clip(10, 120)
    width = height * rng.uniform(0.15, 0.7, count)
    return np.stack([*rng.uniform(0, 200, (2, count)), width, height], axis=1)


def noisy(boxes, pixels, seed=1):
    return boxes + np.random.default_rng(seed).normal(0, pixels, boxes.shape)


def edges(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def test_margins_are_shares_of_the_height_and_offsets_are_pixels():
    styled = LOOSE.apply(np.array([[10, 20, 10, 50]]))
    assert styled == pytest.approx(np.array([[10 + 1 - 6, 20 + 1 - 3, 10 + 10, 50 + 4.5]]))


@pytest.mark.parametrize('style', [BoxStyle(), LOOSE, TIGHTER, VERY_LOOSE], ids=str)
def test_remove_undoes_apply(style):
    tight = digits(50)
    assert style.remove(style.apply(tight)) == pytest.approx(tight)


def test_no_style_changes_nothing():
    tight = digits(5)
    assert np.array_equal(BoxStyle().apply(tight), tight)


def test_no_boxes_stay_none():
    assert LOOSE.apply(np.zeros((0, 4))).shape == LOOSE.remove([]).shape == (0, 4)


def test_a_style_that_leaves_no_width_leaves_zero():
    narrow = np.array([[10.0, 10, 2, 40]])
    cutting = BoxStyle(left=-0.1, right=-0.1)
    assert cutting.apply(narrow)[0].tolist() == [11, 10, 0, 40]  # a line in its middle
    with pytest.raises(ValueError, match='whole height'):
        BoxStyle(top=-0.5, bottom=-0.5)


@pytest.mark.parametrize('style', [BoxStyle(), LOOSE, TIGHTER, VERY_LOOSE], ids=str)
@pytest.mark.parametrize('count', [60, 600])
def test_a_known_style_is_recovered_to_half_a_pixel(style, count):
    """From detections a pixel off, annotators half a pixel off, and a tenth of wrong pairs."""
    tight = digits(count)
    true = style.apply(tight)
    wrong = np.arange(count) % 10 == 0
    seen = noisy(tight, 1.0)
    given = np.where(wrong[:, None], noisy(true, 15, seed=2), noisy(true, 0.5, seed=3))
    found, kept = fit_box_style(seen, given)
    typical = digits(300, seed=4)
    off = edges(found.apply(typical)) - edges(style.apply(typical))
    assert np.abs(off).mean(axis=0).max() < 0.5
    assert kept[~wrong].mean() > 2 * kept[wrong].mean()  # a 1 three pixels wide is easily missed


def test_the_style_explains_more_than_it_finds():
    tight = digits(200)
    true = LOOSE.apply(tight)
    found, _ = fit_box_style(noisy(tight, 0.5), true)
    assert ious(corners(tight), corners(true)).mean() < 0.8
    assert ious(corners(found.apply(tight)), corners(true)).mean() > 0.97


@pytest.mark.parametrize('pairs', [0, 1, 19])
def test_too_few_pairs_are_told(pairs):
    with pytest.raises(InputError, match=f'{pairs} of {pairs} pairs'):
        fit_box_style(digits(pairs), digits(pairs))


def test_pairs_that_never_overlap_are_told():
    away = digits(100)
    away[::2, 0] += 500
    with pytest.raises(InputError, match=r'of 100 pairs overlap \(IoU >= 0.9\)'):
        fit_box_style(digits(100), noisy(away, 9), iou_thr=0.9)


@pytest.mark.parametrize(
    ('a', 'b', 'iou'),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1),
        ([0, 0, 10, 10], [5, 0, 10, 10], 1 / 3),
        ([0, 0, 10, 10], [10, 0, 10, 10], 0),
        ([0, 0, 0, 10], [0, 0, 0, 10], 0),
    ],
)
def test_ious_of_pairs(a, b, iou):
    assert ious(corners([a]), corners([b])) == pytest.approx([iou])


def test_boxes_are_cut_at_the_edges():
    boxes = np.array([[-5.0, 2, 10, 10], [90, 40, 30, 30], [10, 10, 5, 5]])
    expected = [[0, 2, 5, 10], [90, 40, 10, 10], [10, 10, 5, 5]]
    assert clip_boxes(boxes, (100, 50)).tolist() == expected


def test_written_and_read_again(tmp_path):
    write_box_style(tmp_path / 'style.json', LOOSE, {'pairs': 40})
    assert read_box_style(tmp_path / 'style.json') == LOOSE
    assert json.loads((tmp_path / 'style.json').read_text())['fitted'] == {'pairs': 40}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('[]', 'no number under left, right, top, bottom, offset_x, offset_y'),
        ('{"left": 0.1}', 'no number under right'),
        (
            '{"left": "a", "right": 0, "top": 0, "bottom": 0, "offset_x": 0, "offset_y": 0}',
            'no number under left',
        ),
        (
            '{"left": 0, "right": 0, "top": -1, "bottom": 0, "offset_x": 0, "offset_y": 0}',
            'leave no height',
        ),
        ('no json', 'not valid JSON'),
    ],
)
def test_files_that_are_no_style_are_told(tmp_path, content, message):
    (tmp_path / 'style.json').write_text(content)
    with pytest.raises(InputError, match=message):
        read_box_style(tmp_path / 'style.json')
