import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from torchvision.transforms import v2

FILL = (104, 116, 124)


def build(**kwargs):
    return TRANSFORMS.build({'type': 'RandomAreaErasing', **kwargs})


def results(image, bboxes):
    return {
        'img': image.copy(),
        'img_shape': image.shape[:2],
        'gt_bboxes': HorizontalBoxes(torch.tensor(bboxes, dtype=torch.float32).reshape(-1, 4)),
        'gt_bboxes_labels': np.arange(len(bboxes)),
        'gt_ignore_flags': np.zeros(len(bboxes), dtype=bool),
    }


@pytest.mark.parametrize('seed', range(5))
def test_rectangle_is_torchvisions(seed):
    torch.manual_seed(seed)
    torch.rand(())  # whether to erase
    theirs = v2.RandomErasing(p=1.0).make_params([torch.zeros(3, 47, 104)])
    torch.manual_seed(seed)
    erasing = build(prob=1.0)
    ((x1, y1, x2, y2),) = erasing._get_patches((47, 104))
    assert (x1, y1, x2 - x1, y2 - y1) == (theirs['j'], theirs['i'], theirs['w'], theirs['h'])


def test_only_the_rectangle_is_filled():
    torch.manual_seed(0)
    image = np.full((47, 104, 3), 7, dtype=np.uint8)
    erasing = build(prob=1.0)
    ((x1, y1, x2, y2),) = erasing._get_patches(image.shape[:2])
    torch.manual_seed(0)
    erased = erasing(results(image, []))['img']
    assert (erased[y1:y2, x1:x2] == FILL).all()
    assert (erased == FILL).all(axis=-1).sum() == (x2 - x1) * (y2 - y1)


@pytest.mark.parametrize(('share', 'kept'), [(0.6, True), (0.69, True), (0.71, False), (1, False)])
def test_box_goes_where_too_much_of_it_is_erased(share, kept, monkeypatch):
    erasing = build(bbox_erased_thr=0.7)
    patch = np.array([[0, 0, 100 * share, 50]])
    monkeypatch.setattr(erasing, '_get_patches', lambda shape: patch.astype(int))
    done = erasing(results(np.zeros((50, 120, 3), np.uint8), [[0, 0, 100, 50], [101, 0, 119, 9]]))
    assert done['gt_bboxes_labels'].tolist() == ([0, 1] if kept else [1])
    assert len(done['gt_bboxes']) == len(done['gt_ignore_flags']) == 1 + kept


def test_how_often():
    torch.manual_seed(0)
    erasing = build(prob=0.5)
    erased = np.mean([len(erasing._get_patches((47, 104))) for _ in range(1000)])
    assert erased == pytest.approx(0.5, abs=0.05)
    erasing = build(prob=0.0)
    assert not any(len(erasing._get_patches((47, 104))) for _ in range(20))


def test_image_too_narrow_for_the_rectangle_stays():
    torch.manual_seed(0)
    image = np.full((1, 40, 3), 7, dtype=np.uint8)
    erasing = build(prob=1.0, scale=(0.3, 0.33), ratio=(1, 1))
    assert (erasing(results(image, [[0, 0, 40, 1]]))['img'] == 7).all()


def test_image_without_boxes():
    done = build(prob=1.0)(results(np.zeros((20, 30, 3), np.uint8), []))
    assert len(done['gt_bboxes']) == 0
