from dataclasses import asdict

import cv2
import numpy as np
import pytest

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic import SceneSource, draw_scene, load_supplies
from mmdet_digits.synthetic import scenes as scenes_module
from mmdet_digits.synthetic.layouts import sample_layout
from mmdet_digits.synthetic.parameters import LOOKS
from mmdet_digits.synthetic.sources import (
    GLYPHS,
    INGREDIENTS,
    all_but,
    look_without,
)
from mmdet_digits.synthetic.surroundings import draw_surroundings


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
def test_leaving_one_out_changes_its_own_values_and_no_others(name):
    left = INGREDIENTS[name]
    for look, params in LOOKS.items():
        without = look_without(look, (name,))
        for part in ('layout', 'style', 'degradation'):
            before, after = (asdict(getattr(look, part)) for look in (params, without))
            changed = {key for key in before if before[key] != after[key]}
            own = set(getattr(left, part))
            if part == 'style' and left.families:
                own |= {'family_weights'}
                assert set(dict(after['family_weights'])) & set(left.families) == set()
            assert changed == own or (look == 'clear' and changed <= own)


def grey_picture():
    return np.random.default_rng(1).uniform(60, 180, (40, 90, 3)).astype(np.float32)


def surroundings(rng, look):
    image = grey_picture().transpose(2, 0, 1).copy()
    draw_surroundings(
        image, rng, np.array([30, 10, 60, 30]), 20, load_supplies().glyphs.letters, look.style
    )
    return image.transpose(1, 2, 0)


@pytest.mark.parametrize(
    ('name', 'apply'),
    [
        ('distractors', surroundings),
        ('blur', lambda rng, look: scenes_module.blur(grey_picture(), rng, 20, look.degradation)),
        (
            'noise',
            lambda rng, look: scenes_module.add_noise(grey_picture(), rng, 20, look.degradation),
        ),
        ('jpeg', lambda rng, look: scenes_module.compress(grey_picture(), rng, look.degradation)),
    ],
)
def test_what_is_left_out_leaves_no_trace_in_a_picture(name, apply):
    """The step does nothing any more (but round), where it mostly does something with it."""

    def change(*without):
        look = look_without('street', without)
        return [
            np.abs(apply(np.random.default_rng(seed), look) - grey_picture()).max()
            for seed in range(20)
        ]

    assert max(change(name)) <= 0.5
    assert np.mean(np.array(change()) > 1) > 0.4


@pytest.mark.parametrize(
    ('name', 'module', 'step'),
    [('plates', scenes_module, 'draw_plates'), ('shadows', scenes_module, '_relief')],
)
def test_what_is_left_out_is_not_drawn(name, module, step, monkeypatch):
    """The step raises: no scene without the ingredient comes to it, others do."""

    def refuse(*_):
        raise AssertionError(step)

    monkeypatch.setattr(module, step, refuse)
    assert len(scenes(name, count=12)) == 12
    with pytest.raises(AssertionError, match=step):
        scenes(count=12)


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
