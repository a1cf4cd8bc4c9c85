import numpy as np
import pytest

from mmdet_digits.assembly.matching import (
    box_ious,
    match_greedily,
    precision_recall_f1,
)

A, B = [0, 0, 10, 10], [20, 0, 30, 10]
HALF = [0, 0, 10, 5]  # IoU 0.5 with A
LESS = [0, 0, 10, 4.999]


@pytest.mark.parametrize(
    ('bboxes', 'labels', 'gt_bboxes', 'gt_labels', 'expected'),
    [
        ([], [], [], [], []),
        ([], [], [A], [1], []),
        ([A], [1], [], [], [-1]),
        ([A], [1], [A], [1], [0]),
        ([A], [2], [A], [1], [-1]),
        ([HALF], [1], [A], [1], [0]),  # exactly at the threshold
        ([LESS], [1], [A], [1], [-1]),
        ([HALF, A], [1, 1], [A], [1], [0, -1]),  # in the order given, not by IoU
        ([A], [1], [HALF, A], [1, 1], [0]),  # the first that fits, not the best
        ([A, A], [1, 1], [HALF, A], [1, 1], [0, 1]),
        ([B, A], [1, 1], [A, B], [1, 1], [1, 0]),
        ([A, A], [1, 2], [A, A], [2, 1], [1, 0]),
    ],
)
def test_match_greedily(bboxes, labels, gt_bboxes, gt_labels, expected):
    assert match_greedily(bboxes, labels, gt_bboxes, gt_labels).tolist() == expected


def test_threshold():
    assert match_greedily([HALF], [0], [A], [0], iou_thr=0.6).tolist() == [-1]
    assert match_greedily([LESS], [0], [A], [0], iou_thr=0.4).tolist() == [0]


def test_box_ious():
    ious = box_ious([A, HALF, [5, 5, 5, 5]], [A, B, [5, 5, 5, 5]])
    assert np.array_equal(ious, [[1, 0, 0], [0.5, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ('counts', 'expected'),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((0, 5, 0), (0, 0, 0)),
        ((0, 0, 5), (0, 0, 0)),
        ((3, 4, 6), (0.75, 0.5, 0.6)),
        ((2, 2, 2), (1, 1, 1)),
    ],
)
def test_precision_recall_f1(counts, expected):
    assert tuple(precision_recall_f1(*counts).values()) == pytest.approx(expected)
