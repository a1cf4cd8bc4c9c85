import numpy as np
from PIL import Image

from mmdet_digits.checks.data.cropping import Crops
from mmdet_digits.visualization.confusion_figure import save_confusion_figure
from mmdet_digits.visualization.crop_figure import save_crop_figure
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


def test_crops_alike_and_not(tmp_path):
    rng = np.random.default_rng(0)
    heights = rng.uniform(0.4, 0.9, 200)
    train = Crops(rng.integers(20, 100, 200), rng.uniform(1, 3, 200), *[heights] * 4)
    loose = Crops(rng.integers(20, 100, 90), rng.uniform(1, 3, 90), *[heights[:80] / 2] * 4)
    one = Crops(np.array([50]), np.array([2.0]), *[np.array([0.5])] * 4)
    for other in (train, loose, one):
        save_crop_figure(tmp_path / 'c.png', train, other, 'photos')
        assert Image.open(tmp_path / 'c.png').size == (1300, 700)
