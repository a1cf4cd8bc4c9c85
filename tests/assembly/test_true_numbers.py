import numpy as np
import pytest

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.true_numbers import GT_ORDERS, true_numbers


def stacked_and_empty():
    """Image 0: a 7 above a 1 that begins further left, listed as 7, 1; image 1: nothing."""
    bboxes = [[12.0, 0.0, 18.0, 20.0], [10.0, 30.0, 20.0, 50.0]]
    return Detections([0, 0], bboxes, [7, 1], [1.0, 1.0], 2)


@pytest.mark.parametrize(
    ('order', 'number'),
    [('annotation', '71'), ('left', '17'), ('center', '71'), ('axis', '71')],
)
def test_orders(order, number):
    assert true_numbers(stacked_and_empty(), order).tolist() == [number, '-1']


def test_every_box_counts():
    """A box inside another, a tiny one and one far away are annotated and so belong."""
    bboxes = [[0.0, 0, 20, 40], [2.0, 2, 8, 8], [500.0, 0, 520, 40]]
    truth = Detections([0, 0, 0], bboxes, [0, 0, 5], np.ones(3), 1)
    assert [true_numbers(truth, order)[0] for order in GT_ORDERS] == ['005', '005', '005', '005']


def test_unknown_order():
    with pytest.raises(ValueError, match='gt_order'):
        true_numbers(stacked_and_empty(), 'right')
