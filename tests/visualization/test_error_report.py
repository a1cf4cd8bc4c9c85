import numpy as np
from PIL import Image

from mmdet_digits.assembly.coco_precision import ScoredBoxes
from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import PRESETS
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.number_errors import find_errors
from mmdet_digits.evaluation.predictions import Predictions
from mmdet_digits.visualization.error_report import error_page, make_tiles


def unlabelled(folder, name='1.png'):
    """The annotations of one image without digits."""
    Image.new('RGB', (100, 60)).save(folder / name)
    boxes = ScoredBoxes(*(np.zeros(0) for _ in range(6)))
    none = Detections([], [], [], [], 1)
    return Annotations('ann.json', np.array([1]), [name], np.array([[100.0, 60.0]]), none, boxes)


def one_seven(x):
    """Predictions of one digit."""
    bbox = np.array([[x, 10.0, 20.0, 40.0]])
    return Predictions('pred.json', np.array([1]), bbox, np.array([0.9]), np.array([7]))


def test_a_number_read_outside_the_image_is_drawn(tmp_path):
    annotations = unlabelled(tmp_path)
    outside = find_errors(one_seven(500), annotations, PRESETS['default'])
    (tile,) = make_tiles(outside, annotations, tmp_path, 5)
    assert (tile.true, tile.read) == ('-1', '7')
    inside = find_errors(one_seven(40), annotations, PRESETS['default'])
    (other,) = make_tiles(inside, annotations, tmp_path, 5)
    assert np.asarray(tile.picture).any() and tile.picture.size != other.picture.size


def test_names_on_the_page_are_text(tmp_path):
    annotations = unlabelled(tmp_path, '<img src=x>&"1".png')
    errors = find_errors(one_seven(40), annotations, PRESETS['default'])
    tiles = make_tiles(errors, annotations, tmp_path, 5)
    page = error_page(errors, tiles, {'predictions': '<script>'})
    assert '<img src=x' not in page and '<script' not in page
    assert '&lt;script&gt;' in page and '&lt;img src=x&gt;&amp;&#34;1&#34;.png' in page


def test_a_page_without_errors_says_so(tmp_path):
    annotations = unlabelled(tmp_path)
    right = Predictions('p', *(np.zeros((0, *n)) for n in ((), (4,), (), ())))
    page = error_page(find_errors(right, annotations, PRESETS['default']), [], {})
    assert 'Every number is right.' in page and '<td>none</td>' in page
