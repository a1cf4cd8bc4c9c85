import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, soft_nms


def iou_of(a, b, offset):
    w = min(a[2], b[2]) - max(a[0], b[0]) + offset
    h = min(a[3], b[3]) - max(a[1], b[1]) + offset
    overlap = max(w, 0) * max(h, 0)
    areas = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset) for c in (a, b)]
    return overlap / (sum(areas) - overlap)


def soft_nms_reference(boxes, scores, iou_threshold, sigma, min_score, method, offset):
    """Follow mmcv's loop in float64: swap the best to the front, the last into a gap."""
    rest = [[box, score, i] for i, (box, score) in enumerate(zip(boxes, scores, strict=True))]
    done = []
    while rest:
        best = max(range(len(rest)), key=lambda k: rest[k][1])  # max: the first of equals
        rest[0], rest[best] = rest[best], rest[0]
        done.append(rest.pop(0))
        k = 0
        while k < len(rest):
            iou = iou_of(done[-1][0], rest[k][0], offset)
            if method == 'gaussian':
                rest[k][1] *= np.exp(-(iou**2) / sigma)
            elif iou >= iou_threshold:
                rest[k][1] *= 1 - iou if method == 'linear' else 0
            if rest[k][1] < min_score:
                rest[k] = rest[-1]
                rest.pop()
            else:
                k += 1
    return [i for *_, i in done], [score for _, score, _ in done]


def random_boxes(count, seed=0):
    rng = np.random.default_rng(seed)
    top_left = rng.integers(0, 100, (count, 2))
    boxes = np.hstack([top_left, top_left + rng.integers(5, 60, (count, 2))])
    return boxes.astype('f4'), rng.uniform(0.05, 1, count).astype('f4')


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('ties', [False, True])
def test_equals_reference(ties, method, offset):
    boxes, scores = random_boxes(150)
    if ties:
        boxes, scores = np.tile(boxes[:30] * 3, (5, 1)), scores.round(1)
    options = (0.3, 0.5, 0.03, method, offset)  # IoU threshold, sigma, min_score
    dets, inds = soft_nms(torch.from_numpy(boxes), torch.from_numpy(scores), *options)
    expected, new_scores = soft_nms_reference(boxes, scores, *options)
    assert inds.tolist() == expected
    np.testing.assert_array_equal(dets[:, :4], boxes[expected])
    np.testing.assert_allclose(dets[:, 4], new_scores, rtol=1e-5)


def test_equal_scores_go_in_the_order_of_the_swaps():
    boxes = np.array([[0, 0, 4, 4], [10, 0, 14, 4], [20, 0, 24, 4], [30, 0, 34, 4]], dtype='f4')
    scores = np.array([0.5, 0.5, 0.5, 0.9], dtype='f4')
    _, inds = soft_nms(boxes, scores)
    assert inds.tolist() == [3, 1, 2, 0]


def test_inputs_stay_as_they_are():
    boxes, scores = map(torch.from_numpy, random_boxes(40))
    before = boxes.clone(), scores.clone()
    soft_nms(boxes, scores, method='gaussian')
    assert torch.equal(boxes, before[0]) and torch.equal(scores, before[1])


def test_inputs_may_carry_gradients():
    boxes, scores = map(torch.from_numpy, random_boxes(10))
    _, expected = soft_nms(boxes, scores)
    _, inds = soft_nms(boxes.requires_grad_(), scores.requires_grad_())
    assert torch.equal(inds, expected)


def test_empty():
    dets, inds = soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert dets.shape == (0, 5) and inds.shape == (0,) and inds.dtype == torch.int64


def test_one_box_stays_even_below_min_score():
    dets, inds = soft_nms(np.array([[0, 0, 5, 5]], 'f4'), np.array([0.01], 'f4'), min_score=0.5)
    assert inds.tolist() == [0] and dets[0, 4] == np.float32(0.01)


@pytest.mark.usefixtures('bridge')
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_boxes_without_area_do_not_overlap(method):
    boxes, scores = np.array([[3, 1, 3, 1]] * 3, 'f4'), np.array([0.5, 0.4, 0.3], 'f4')
    dets, _ = soft_nms(boxes, scores, method=method)
    np.testing.assert_array_equal(dets[:, 4], scores)


@pytest.mark.usefixtures('bridge')
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_compute_in_at_least_float32(dtype):
    boxes, scores = (torch.from_numpy(a).to(dtype) for a in random_boxes(60))
    dets, inds = soft_nms(boxes, scores)
    wide = torch.promote_types(dtype, torch.float32)
    wide_dets, wide_inds = soft_nms(boxes.to(wide), scores.to(wide))
    assert dets.dtype == dtype
    assert torch.equal(inds, wide_inds) and torch.equal(dets, wide_dets.to(dtype))


def test_batched_keeps_classes_apart():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10]])
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 1])
    cfg = {'type': 'soft_nms', 'iou_threshold': 0.5, 'method': 'linear'}
    dets, inds = batched_nms(boxes, scores, labels, cfg)
    assert inds.tolist() == [0, 2, 1]
    np.testing.assert_allclose(dets[:, 4], [0.9, 0.7, 0.08], rtol=1e-5)
