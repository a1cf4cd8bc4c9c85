import cv2
import numpy as np
import pytest

from mmdet_digits.datasets.synthetic import SceneSource, draw_scene, load_supplies
from mmdet_digits.datasets.synthetic.ingredients import (
    GLYPHS,
    INGREDIENTS,
    all_but,
    look_without,
)
from mmdet_digits.datasets.synthetic.layouts import sample_layout
from mmdet_digits.datasets.synthetic.parameters import LOOKS
from mmdet_digits.utils.errors import InputError


def scenes(*without, count=30):
    supplies = load_supplies(SceneSource(without=without))
    return [draw_scene(np.random.default_rng(i), supplies) for i in range(count)]


@pytest.fixture(scope='module')
def complete():
    return scenes()


def test_nothing_left_out_changes_nothing():
    for look, params in LOOKS.items():
        assert look_without(look, ()) == params


@pytest.mark.parametrize('name', INGREDIENTS)
def test_each_can_be_left_out_alone_and_changes_the_scenes(name, complete):
    without = scenes(name, count=12)
    same = [np.array_equal(a.image, b.image) for a, b in zip(without, complete, strict=False)]
    assert not all(same)
    assert all(scene.image.dtype == np.uint8 and len(scene.bboxes) for scene in without)


@pytest.mark.parametrize(
    ('name', 'families'),
    [
        ('strokes', {'stroke'}),
        ('fonts', {'truetype', 'hershey'}),
        ('handwriting', {'handwriting'}),
    ],
)
def test_glyphs_come_from_the_families_that_are_left(name, families, complete):
    kept = {scene.family for scene in scenes(name)}
    assert not kept & families
    only = {scene.family for scene in scenes(*(other for other in GLYPHS if other != name))}
    assert only == families <= {scene.family for scene in complete} | {'handwriting'}


def test_without_perspective_digits_stand_upright():
    """A line of digits may rise, but a block glyph has vertical and horizontal edges."""
    params = look_without('street', ('perspective',))
    rng = np.random.default_rng(0)
    for _ in range(50):
        layout = sample_layout(rng, '88', np.array([0.5, 0.5]), 0.5, params.layout)
        sides = layout.quads - np.roll(layout.quads, 1, axis=1)  # each from one corner to the next
        assert np.abs(sides).min(axis=2).max() < 1e-6


def test_without_contrast_all_numbers_stand_out_alike():
    def spread(found):
        stand_out = []
        for scene in found:
            grey = cv2.cvtColor(scene.image, cv2.COLOR_BGR2GRAY)
            x, y, w, h = scene.bboxes[0].astype(int)
            stand_out.append(np.ptp(np.percentile(grey[y : y + h, x : x + w], [10, 90])))
        return np.std(stand_out)

    assert spread(scenes('contrast', 'blur')) < 0.8 * spread(scenes('blur'))


def test_without_blur_edges_are_sharper(complete):
    def sharpness(found):
        return np.median([cv2.Laplacian(scene.image, cv2.CV_32F).std() for scene in found])

    assert sharpness(scenes('blur', 'noise', 'jpeg')) > 1.3 * sharpness(complete)


def test_without_noise_and_jpeg_a_picture_is_smoother(complete):
    def grain(found):
        return np.median([np.abs(np.diff(s.image.astype(int), n=2, axis=1)).mean() for s in found])

    assert grain(scenes('noise', 'jpeg')) < 0.95 * grain(complete)


def test_without_layouts_sizes_no_longer_follow_svhn(complete):
    def height(found):
        return np.median(np.concatenate([scene.bboxes[:, 3] for scene in found]))

    assert height(scenes('layouts')) > 1.3 * height(complete)


def test_all_but_one_leaves_one():
    assert set(all_but(['fonts'])) == set(INGREDIENTS) - {'fonts'}
    with pytest.raises(InputError, match=r'found:    fnts(?s:.*)fonts'):
        all_but(['fnts'])
