import numpy as np
import pytest

from mmdet_digits.assembly.tiles import best_of, is_large, lies_whole, plan_tiles

CANVAS = (200, 100)


@pytest.mark.parametrize(
    ('size', 'large'),
    [((799, 399), False), ((800, 10), True), ((10, 400), True), ((200, 100), False)],
)
def test_what_is_large(size, large):
    assert is_large(size, CANVAS) == large


@pytest.mark.parametrize('size', [(1200, 600), (4000, 3000), (3000, 4000), (1201, 633), (5000, 20)])
def test_a_number_half_as_large_as_a_tile_lies_whole_in_one(size):
    tiles = plan_tiles(size, CANVAS)
    assert (tiles[:, :2] >= 0).all() and (tiles[:, 2:] <= size).all()
    assert tiles[-1].tolist() == [0, 0, *size]
    sides = tiles[:, 2:] - tiles[:, :2]
    for factor in (3, 6):
        wished = np.minimum(size, (factor * 200, factor * 100))
        (of_size,) = np.nonzero((sides == wished).all(1))
        assert len(of_size)
        rng = np.random.default_rng(0)
        for corner in rng.uniform(0, 1, (50, 2)) * (np.array(size) - wished / 2):
            box = np.concatenate([corner, corner + wished / 2])
            low, high = tiles[of_size, :2] <= box[:2] + 1, tiles[of_size, 2:] >= box[2:] - 1
            assert (low & high).all(1).any()


def test_tiles_of_an_image():
    assert plan_tiles((600, 300), CANVAS).tolist() == [[0, 0, 600, 300]]
    tiles = plan_tiles((1200, 300), CANVAS)
    assert tiles.tolist() == [
        *([0, 0, 600, 300], [300, 0, 900, 300], [600, 0, 1200, 300]),
        [0, 0, 1200, 300],
    ]


@pytest.mark.parametrize(
    ('box', 'whole'),
    [
        ((0, 120, 20, 150), True),  # at the edge of the image
        ((50, 99, 60, 120), False),  # at an edge of the tile
        ((50, 100, 60, 120), True),
        ((180, 120, 199.5, 150), False),
        ((180, 120, 198, 150), True),
        ((50, 170, 60, 197), False),
    ],
)
def test_what_a_tile_cuts_is_not_whole(box, whole):
    tile = np.array([0, 98, 200, 198])
    assert lies_whole(np.array([box]), tile, (800, 400)).tolist() == [whole]


def test_the_best_of_boxes_that_share_much():
    bboxes = np.array([(0, 0, 10, 20), (1, 1, 11, 21), (30, 0, 40, 20), (32, 5, 36, 12)], float)
    assert best_of(bboxes, np.array([0.5, 0.9, 0.6, 0.7])).tolist() == [1, 3]
    assert best_of(bboxes, np.array([0.5, 0.4, 0.6, 0.5])).tolist() == [2, 0]
    assert best_of(np.zeros((0, 4)), np.zeros(0)).tolist() == []
