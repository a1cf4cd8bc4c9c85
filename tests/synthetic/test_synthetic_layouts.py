from collections import Counter

import numpy as np
import pytest

from mmdet_digits.synthetic.layouts import project, sample_digits, sample_layout
from mmdet_digits.synthetic.parameters import LAYOUT, Quantiles

NATURAL = np.array([0.6, 0.3, *[0.6] * 8])  # width / height of an ordinary font's digits


@pytest.fixture(scope='module')
def layouts():
    rng = np.random.default_rng(11)
    found = []
    for _ in range(1500):
        digits = sample_digits(rng)
        natural = NATURAL[[int(d) for d in digits]]
        found.append(sample_layout(rng, digits, natural, LAYOUT.digit_aspect.sample(rng)))
    return found


def boxes_of(layout):
    return np.concatenate([layout.quads.min(1), layout.quads.max(1)], 1)


def number_boxes(layouts):
    boxes = [boxes_of(layout) for layout in layouts]
    return np.array([[*b[:, :2].min(0), *b[:, 2:].max(0)] for b in boxes])


def quartiles(values):
    return np.percentile(values, [25, 50, 75])


def test_digits_lie_inside_the_image(layouts):
    sizes = np.array([[layout.width, layout.height] for layout in layouts])
    boxes = number_boxes(layouts)
    assert (boxes[:, :2] > 0).all() and (boxes[:, 2:] < sizes).all()
    assert sizes[:, 0].min() >= 40 and sizes[:, 0].max() <= 600


# The expected values are SVHN's quartiles.
@pytest.mark.parametrize(
    ('name', 'expected', 'tolerance'),
    [
        ('width', (72, 104, 158), 0.15),
        ('height', (33, 47, 71), 0.15),
        ('aspect', (2.05, 2.23, 2.5), 0.08),
        ('number height', (0.60, 0.71, 0.79), 0.05),
        ('digit height', (21, 29, 41), 0.15),
        ('centre x', (0.49, 0.50, 0.51), 0.03),
        ('centre y', (0.47, 0.49, 0.51), 0.03),
    ],
)
def test_sizes_follow_svhn(layouts, name, expected, tolerance):
    width, height = np.array([[layout.width, layout.height] for layout in layouts], float).T
    x1, y1, x2, y2 = number_boxes(layouts).T
    values = {
        'width': width,
        'height': height,
        'aspect': width / height,
        'number height': (y2 - y1) / height,
        'digit height': np.concatenate([np.ptp(boxes_of(m)[:, 1::2], axis=1) for m in layouts]),
        'centre x': (x1 + x2) / 2 / width,
        'centre y': (y1 + y2) / 2 / height,
    }[name]
    assert quartiles(values) == pytest.approx(expected, rel=tolerance)


def test_slant_follows_svhn(layouts):
    degrees, stacked = [], 0
    for layout in layouts:
        centres = layout.quads.mean(1)
        if len(centres) < 2:
            continue
        dx, dy = centres[-1] - centres[0]
        stacked += abs(dy) > abs(dx)
        if abs(dy) <= abs(dx):
            degrees.append(np.degrees(np.arctan2(dy, dx)))
    assert 2 <= stacked <= 30
    expected = (-18.5, -5.4, 0, 3.7, 12.5)  # SVHN's 5, 25, 50, 75, 95 %
    assert np.percentile(degrees, [5, 25, 50, 75, 95]) == pytest.approx(expected, abs=3)


def test_neighbours_do_not_cover_each_other(layouts):
    for layout in layouts:
        plane = project(layout.digit_to_plane, np.array([[0.0, 0.5], [1.0, 0.5]]))
        columns = np.ptp(plane[:, :, 0].mean(1)) > layout.digit_height * 0.2
        if len(plane) > 1 and columns:
            gaps = plane[1:, 0, 0] - plane[:-1, 1, 0]
            assert gaps.min() > -0.2 * layout.digit_height


def test_numbers_follow_their_weights():
    rng = np.random.default_rng(5)
    numbers = [sample_digits(rng) for _ in range(20000)]
    lengths = Counter(map(len, numbers))
    for length, weight in enumerate(LAYOUT.length_weights, 1):
        assert lengths[length] / len(numbers) == pytest.approx(weight, abs=0.012)
    leading = sum(n[0] == '0' for n in numbers) / len(numbers)
    assert leading == pytest.approx(LAYOUT.leading_zero_rate, abs=0.004)
    counts = Counter(''.join(numbers))
    assert counts.most_common(1)[0][0] == '1'
    assert counts['1'] / min(counts.values()) == pytest.approx((13861 / 4659) ** 0.5, rel=0.15)


def test_quantiles_return_what_they_were_given():
    table = Quantiles((0, 0.5, 1), (10, 30, 90), log=True)
    rng = np.random.default_rng(0)
    values = [table.sample(rng) for _ in range(4000)]
    assert np.median(values) == pytest.approx(30, rel=0.05)
    assert min(values) >= 10 and max(values) <= 90
