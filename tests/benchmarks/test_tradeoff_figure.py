import pytest
from PIL import Image
from tradeoff_figure import (
    TradeoffPanel,
    draw_tradeoff_figure,
    save_tradeoff_figure,
)
from tradeoff_points import TradeoffPoint

POINTS = [
    TradeoffPoint('128x64', 10.0, 0.80, 0.74, 0.85),
    TradeoffPoint('192x96', 20.0, 0.90, 0.85, 0.94),
    TradeoffPoint('320x160', 60.0, 0.91, 0.87, 0.95),
]


def draw(points=POINTS, knee='192x96'):
    panel = TradeoffPanel('digits: 200 test images', 'training, ms per image', points, knee)
    return draw_tradeoff_figure([[panel]], 'number accuracy', 'tiny')


def test_points_are_named_at_their_intervals_and_the_knee_is_marked():
    (axes,) = draw().axes
    texts = {text.get_text(): text.xy for text in axes.texts}
    assert texts == {'128x64': (10, 85), '192x96': (20, 85), '320x160': (60, 95)}
    rings = [line for line in axes.lines if line.get_markersize() > 10]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in rings] == [(20, 90)]
    assert axes.get_title(loc='right') == 'knee: 192x96'
    assert axes.get_ylabel() == 'number accuracy in %'


@pytest.mark.parametrize(('points', 'scale'), [(POINTS, 'log'), (POINTS[:2], 'linear')])
def test_costs_that_differ_much_are_logarithmic(points, scale):
    assert draw(points).axes[0].get_xscale() == scale


def test_a_grid_of_panels_is_written(tmp_path):
    panel = TradeoffPanel('digits', 'training, ms per image', POINTS[:1], '128x64')
    rows = [[panel, panel], [panel, panel]]
    save_tradeoff_figure(tmp_path / 'deep' / 'a.png', rows, 'number accuracy', 'a\nb')
    assert min(Image.open(tmp_path / 'deep' / 'a.png').size) > 1000
