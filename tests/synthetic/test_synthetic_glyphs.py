import itertools

import cv2
import numpy as np
import pytest

from mmdet_digits.synthetic.glyphs import (
    GLYPH_HEIGHT,
    HERSHEY_FONTS,
    TRUETYPE_FONTS,
    StrokeStyle,
    change_weight,
    draw_stroke_digit,
    load_glyphs,
    sample_number_glyphs,
    sample_stroke_style,
)
from mmdet_digits.synthetic.parameters import STYLE


def all_faces():
    glyphs = load_glyphs()
    faces = {**glyphs.truetype, **glyphs.hershey}
    rng = np.random.default_rng(0)
    for index in range(8):
        style = sample_stroke_style(rng, rng.uniform(0.35, 0.8))
        faces[f'stroke {index}'] = tuple(draw_stroke_digit(d, style) for d in range(10))
    means = []
    for samples in glyphs.handwriting:
        same_size = [cv2.resize(s, (40, GLYPH_HEIGHT)).astype(float) for s in samples]
        means.append(np.mean(same_size, 0).astype(np.uint8))
    return faces | {'handwriting, mean': tuple(means)}


def test_every_source_has_ten_distinct_digits():
    faces = all_faces()
    assert len(faces) == len(TRUETYPE_FONTS) + 3 * len(HERSHEY_FONTS) + 8 + 1
    for name, face in faces.items():
        assert len(face) == 10, name
        shapes = [cv2.resize(glyph, (32, 32)).astype(float) / 255 for glyph in face]
        for (a, first), (b, second) in itertools.combinations(enumerate(shapes), 2):
            assert np.abs(first - second).mean() > 0.04, f'{name}: {a} and {b} look the same'


def test_glyphs_are_cropped_to_their_ink():
    for name, face in all_faces().items():
        if name.startswith('handwriting'):
            continue
        for digit, glyph in enumerate(face):
            assert glyph.dtype == np.uint8 and glyph.shape[0] == GLYPH_HEIGHT, name
            for edge in (glyph[:2], glyph[-2:], glyph[:, :2], glyph[:, -2:]):
                assert edge.max() > 100, f'{name} {digit} has an empty edge'


def test_handwriting_is_all_of_load_digits():
    counts = [len(samples) for samples in load_glyphs().handwriting]
    assert sum(counts) == 1797
    assert min(counts) > 170


@pytest.mark.parametrize('family', [name for name, _ in STYLE.family_weights])
def test_one_number_comes_from_one_family(family):
    glyphs, rng = load_glyphs(), np.random.default_rng(3)
    drawn = [sample_number_glyphs(rng, glyphs, '4077', 0.5) for _ in range(80)]
    shapes = [shapes for name, shapes in drawn if name == family]
    assert shapes, f'{family} was not drawn in 80 numbers'
    same = [np.array_equal(s[2], s[3]) for s in shapes]  # the two sevens
    assert not any(same) if family == 'handwriting' else all(same)


def test_weight_changes_ink_in_the_wished_direction():
    glyph = draw_stroke_digit(8, StrokeStyle())
    ink = [change_weight(glyph, amount).mean() for amount in (-3, 0, 3)]
    assert ink == sorted(ink) and ink[0] < ink[2]


def test_thin_glyph_is_not_erased():
    thin = load_glyphs().hershey['simplex-3'][7]
    assert np.array_equal(change_weight(thin, -12), thin)
