import pytest
from matplotlib.colors import to_hex
from PIL import Image
from written_runs import lines, write_part, write_run

from mmdet_digits.errors import InputError
from mmdet_digits.runs.run_history import read_runs
from mmdet_digits.visualization.run_figure import COLORS, draw_run_figure, save_run_figure

DIGITS = {'digits/precision': 0.9, 'digits/recall': 0.8, 'digits/f1': 0.85}


def titles(figure):
    return [axes.get_title(loc='left') for axes in figure.axes]


def colors(axes):
    return [to_hex(line.get_color()) for line in axes.lines if line.get_xdata().size > 1]


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / 'short', epochs=2)
    write_run(tmp_path / 'long', epochs=4, **DIGITS)
    return read_runs([tmp_path / 'short', tmp_path / 'long'])


def test_a_single_run_shows_its_loss_terms_and_only_what_it_has(runs):
    figure = draw_run_figure({'short': runs['short']})
    assert titles(figure) == [
        *('training loss', 'validation loss', 'loss terms', 'mAP', 'AP50', 'number accuracy'),
        *('learning rate', 'seconds per iteration', 'peak memory in MiB'),
    ]
    terms = figure.axes[2].get_legend().get_texts()
    assert [text.get_text() for text in terms] == ['RoI class', 'RoI box']


def test_runs_keep_their_colour_in_every_panel(runs):
    figure = draw_run_figure(runs)
    assert 'loss terms' not in titles(figure)
    assert titles(figure)[5:8] == ['digit precision', 'digit recall', 'digit F1']
    for axes, title in zip(figure.axes, titles(figure), strict=True):
        both = [color.upper() for color in colors(axes)]
        assert both == [COLORS[1]] if title.startswith('digit') else both == list(COLORS[:2])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['short', 'long']


def test_curves_are_drawn_over_epochs_and_the_best_is_marked(runs):
    figure = draw_run_figure({'long': runs['long']})
    loss, validation = figure.axes[:2]
    assert loss.lines[0].get_xdata()[-1] == 4 and len(loss.lines[0].get_xdata()) == 16
    curve, ring = validation.lines
    assert list(curve.get_xdata()) == [1, 2, 3, 4] and ring.get_xdata() == [4]
    assert ring.get_ydata() == [1.0]


def test_long_curves_are_thinned(tmp_path):
    write_run(tmp_path / 'run', epochs=3, iters=1000, interval=1)
    line = draw_run_figure(read_runs([tmp_path / 'run'])).axes[0].lines[0]
    assert len(line.get_xdata()) == 200
    assert line.get_ydata()[0] == pytest.approx(sum(2 / n for n in range(1, 16)) / 15)


@pytest.mark.parametrize(('name', 'magic'), [('a.png', b'\x89PNG'), ('deep/b.PDF', b'%PDF')])
def test_formats(runs, tmp_path, name, magic):
    save_run_figure(tmp_path / name, runs)
    assert (tmp_path / name).read_bytes().startswith(magic)
    if name == 'a.png':
        assert min(Image.open(tmp_path / name).size) > 1000


def test_what_cannot_be_drawn_is_told_and_nothing_written(runs, tmp_path):
    with pytest.raises(InputError, match="the ending 'foo'"):
        save_run_figure(tmp_path / 'a.foo', runs)
    with pytest.raises(InputError, match='Too many runs'):
        save_run_figure(tmp_path / 'a.png', {f'{n}': runs['short'] for n in range(22)})
    write_part(tmp_path / 'bare', '1', lines([dict(epoch=1, iter=1, step=1)]))
    with pytest.raises(InputError, match='nothing to draw'):
        save_run_figure(tmp_path / 'a.png', read_runs([tmp_path / 'bare']))
    assert not list(tmp_path.glob('a.*'))
