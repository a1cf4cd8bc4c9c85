import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms


def nms_reference(boxes, scores, iou_threshold, offset=0):
    """Return what mmcv's CPU loop keeps in float32, of equal scores the lower index first."""
    boxes, iou_threshold, offset = boxes.astype('f4'), np.float32(iou_threshold), np.float32(offset)
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    order = np.argsort(-scores, kind='stable')
    keep = []
    while len(order):
        i, order = order[0], order[1:]
        keep.append(i)
        w = np.minimum(x2[i], x2[order]) - np.maximum(x1[i], x1[order]) + offset
        h = np.minimum(y2[i], y2[order]) - np.maximum(y1[i], y1[order]) + offset
        overlap = np.maximum(w, 0) * np.maximum(h, 0)
        with np.errstate(invalid='ignore'):
            iou = overlap / (areas[i] + areas[order] - overlap)
        order = order[~(iou > iou_threshold)]
    return keep


def random_boxes(count, size=400, whole=False, seed=0):
    rng = np.random.default_rng(seed)
    top_left = rng.uniform(0, size, (count, 2))
    boxes = np.hstack([top_left, top_left + rng.uniform(5, 60, (count, 2))])
    boxes = (boxes.round() if whole else boxes).astype('f4')
    return boxes, rng.uniform(0, 1, count).astype('f4')


def kept(boxes, scores, *args, device='cpu', **kwargs):
    tensors = (torch.as_tensor(np.asarray(a, dtype='f4'), device=device) for a in (boxes, scores))
    dets, inds = nms(*tensors, *args, **kwargs)
    assert len(dets) == len(inds)
    return inds.tolist()


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('whole', [True, False])
@pytest.mark.parametrize('iou_threshold', [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
def test_equals_reference(iou_threshold, whole, offset, device):
    boxes, scores = random_boxes(600, whole=whole)
    expected = nms_reference(boxes, scores, iou_threshold, offset)
    assert kept(boxes, scores, iou_threshold, offset, device=device) == expected


@pytest.mark.parametrize('offset', [0, 1])
def test_twenty_thousand_boxes(offset, device):
    boxes, scores = random_boxes(20_000, size=600)
    expected = nms_reference(boxes, scores, 0.3, offset)
    assert kept(boxes, scores, 0.3, offset, device=device) == expected


@pytest.mark.usefixtures('bridge')  # mmcv's own sort is not stable
def test_many_equal_scores_keep_the_lower_index():
    boxes, scores = random_boxes(3000, whole=True)
    scores = scores.round(1)
    assert kept(boxes, scores, 0.4) == nms_reference(boxes, scores, 0.4)
    twins = [[0, 0, 9, 9]] * 3
    assert kept(twins, [0.5, 0.5, 0.5], 0.5) == [0]


# Widths along x at equal height make the IoU a simple fraction: overlap / union.
@pytest.mark.parametrize(
    ('second', 'iou_threshold', 'offset', 'expected'),
    [
        ([0, 0, 5, 10], 0.5, 0, [0, 1]),  # IoU 1/2, at the threshold: stays
        ([0, 0, 5, 10], 0.4999, 0, [0]),
        ([0, 0, 1, 10], 0.1, 0, [0, 1]),  # 1/10 in float32 is not above 0.1 in float32
        ([0, 0, 7, 10], 0.7, 0, [0, 1]),
        ([0, 0, 4, 9], 0.4, 1, [0]),  # 5 x 10 of 11 x 11 pixels: 0.413
        ([10, 0, 20, 10], 0.0, 0, [0, 1]),  # touching edges share nothing ...
        ([10, 0, 20, 10], 0.0, 1, [0]),  # ... but share a column of pixels
        ([3, 3, 3, 3], 0.0, 1, [0]),  # one pixel
        ([3, 3, 3, 3], 0.0, 0, [0, 1]),  # no area
        ([8, 8, 2, 2], 0.0, 0, [0, 1]),  # corners swapped
    ],
)
def test_two_boxes(second, iou_threshold, offset, expected, device):
    boxes, scores = np.array([[0, 0, 10, 10], second], dtype='f4'), np.array([0.9, 0.8])
    found = kept(boxes, scores, iou_threshold, offset, device=device)
    assert found == expected == nms_reference(boxes, scores, iou_threshold, offset)


def test_empty(device):
    dets, inds = nms(torch.zeros(0, 4, device=device), torch.zeros(0, device=device), 0.5)
    assert dets.shape == (0, 5) and inds.shape == (0,) and inds.dtype == torch.int64


def test_score_threshold_and_max_num():
    boxes, scores = random_boxes(500)
    above = np.flatnonzero(scores > 0.3)
    expected = above[nms_reference(boxes[above], scores[above], 0.3)]
    assert kept(boxes, scores, 0.3, score_threshold=0.3) == expected.tolist()
    assert kept(boxes, scores, 0.3, score_threshold=0.3, max_num=7) == expected[:7].tolist()
    assert kept(boxes, scores, 0.3, score_threshold=1.0) == []


def test_numpy_in_numpy_out():
    boxes, scores = random_boxes(50)
    dets, inds = nms(boxes, scores, 0.5)
    assert isinstance(dets, np.ndarray) and isinstance(inds, np.ndarray)
    np.testing.assert_array_equal(dets, np.c_[boxes, scores][inds])


@pytest.mark.usefixtures('bridge')
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_compute_in_at_least_float32(dtype, device):
    boxes, scores = (torch.from_numpy(a).to(device, dtype) for a in random_boxes(400))
    dets, inds = nms(boxes, scores, 0.5, offset=1)
    wide = boxes.float() if dtype.itemsize < 4 else boxes
    assert dets.dtype == dtype
    assert inds.tolist() == nms(wide, scores.to(wide), 0.5, offset=1)[1].tolist()


@pytest.mark.usefixtures('bridge')
def test_half_scores_with_float_boxes(device):
    boxes, scores = (torch.from_numpy(a).to(device) for a in random_boxes(400))
    _, inds = nms(boxes, scores.half(), 0.5)
    assert inds.tolist() == nms(boxes, scores.half().float(), 0.5)[1].tolist()


@pytest.mark.parametrize('split_thr', [10_000, 100])
@pytest.mark.parametrize('class_agnostic', [False, True])
def test_batched(class_agnostic, split_thr, device):
    """Above ``split_thr`` boxes mmcv runs each class alone, whatever ``class_agnostic`` says."""
    boxes, scores = random_boxes(500)
    labels = np.random.default_rng(1).integers(0, 10, 500)
    tensors = (torch.from_numpy(a).to(device) for a in (boxes, scores, labels))
    cfg = {'type': 'nms', 'iou_threshold': 0.4, 'split_thr': split_thr, 'max_num': 60}
    dets, inds = batched_nms(*tensors, cfg, class_agnostic=class_agnostic)

    groups = [np.arange(500)]
    if not class_agnostic or split_thr == 100:
        groups = [np.flatnonzero(labels == label) for label in range(10)]
    expected = np.concatenate([g[nms_reference(boxes[g], scores[g], 0.4)] for g in groups])
    expected = expected[np.argsort(-scores[expected], kind='stable')][:60]
    assert inds.tolist() == expected.tolist()
    np.testing.assert_array_equal(dets.cpu().numpy(), np.c_[boxes, scores][expected])
