import numpy as np
from PIL import Image

from mmdet_digits.visualization.confusion_figure import save_confusion_figure
from mmdet_digits.visualization.sweep_figure import HeatMap, save_sweep_figure


def test_confusion_of_nothing_and_of_something(tmp_path):
    for counts in (np.zeros((11, 11), dtype=int), np.eye(11, dtype=int) * 1234):
        save_confusion_figure(tmp_path / 'c.png', counts, 'test')
        assert Image.open(tmp_path / 'c.png').size[0] > 1000


def test_heat_maps_with_holes_and_all_equal(tmp_path):
    scores, ious = (0.4, 0.5), (None, 0.0, 0.3)
    table = np.full((3, 2), 0.5)
    holes = table.copy()
    holes[0, 0] = np.nan
    maps = [HeatMap('a', table, (0.5, None)), HeatMap('b', holes, None, [(0.4, 0.0), (0.9, 0.0)])]
    save_sweep_figure(tmp_path / 's.png', maps, scores, ious, 'accuracy')
    assert Image.open(tmp_path / 's.png').size[1] > 300
