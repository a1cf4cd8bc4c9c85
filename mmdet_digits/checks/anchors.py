"""How well anchors fit the boxes: the best IoU that any anchor has with each box.

A box that no anchor reaches with the IoU that the RPN's assigner asks for is hardly learnt, and
nothing says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmdet_digits.boxes import ious
from mmdet_digits.checks.config_data import pad_size_divisor
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.checks.keys import typed_dicts

#: The share of boxes with an IoU of 0.5 or more below which a check warns or fails.
WARN_SHARE, FAIL_SHARE = 0.9, 0.5
MAX_IMAGES = 1000


def best_ious(
    bboxes: np.ndarray,
    sizes: np.ndarray,
    base_anchors: Sequence[np.ndarray],
    strides: Sequence[tuple[float, float]],
) -> np.ndarray:
    """The IoU of each box with the anchor that fits it best.

    Anchors of one shape stand on a grid, so the one whose centre is nearest to a box's overlaps it
    most: only that one is looked at.

    Args:
        bboxes: (N, 4) xyxy in pixels of the network's input.
        sizes: (N, 2) width and height of each box's image, with its padding.
        base_anchors: per level, (A, 4) xyxy about the top left corner of the grid.
        strides: per level, pixels between the anchors along x and y.

    Returns:
        (N,) IoU.
    """
    best = np.zeros(len(bboxes))
    centers = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    for anchors, stride in zip(base_anchors, strides, strict=True):
        last_cell = np.ceil(sizes / stride) - 1
        for anchor in anchors:
            cell = np.rint((centers - (anchor[:2] + anchor[2:]) / 2) / stride)
            shift = np.clip(cell, 0, last_cell) * stride
            best = np.maximum(best, ious(bboxes, anchor + np.tile(shift, 2)))
    return best


def check_anchors(cfg: Mapping, coco: Any) -> Check:
    """Check what share of the training boxes the anchors of a config reach after its resize.

    Args:
        cfg: a config.
        coco: content of the training annotation file.
    """
    generators = [
        node
        for path, node in typed_dicts(cfg['model'])
        if path.endswith('anchor_generator') and 'Point' not in str(node['type'])
    ]
    if not generators:
        return Check('Anchors', Status.OK, 'the model has none')
    base_anchors, strides = anchor_grid(generators[0])
    bboxes, sizes = resized_boxes(cfg, coco)
    if not len(bboxes):
        return Check('Anchors', Status.WARN, 'not compared: no box to compare with')
    return judge_reach(best_ious(bboxes, sizes, base_anchors, strides), bboxes)


def judge_reach(ious: np.ndarray, bboxes: np.ndarray) -> Check:
    """Judge the best IoU (N,) of each of the boxes (N, 4), in pixels of the network's input."""
    half, strict = ((ious >= iou_thr).mean() for iou_thr in (0.5, 0.7))
    width, height = np.median(bboxes[:, 2:] - bboxes[:, :2], axis=0)
    found = (
        f'{half:.1%} of {len(ious):,} boxes have an anchor with IoU >= 0.5, {strict:.1%} with '
        f'>= 0.7; the median box is {width:.0f} x {height:.0f} px after the resize'
    )
    if half >= WARN_SHARE:
        return Check('Anchors', Status.OK, found)
    return Check(
        'The anchors do not fit the boxes.',
        Status.WARN if half >= FAIL_SHARE else Status.FAIL,
        found,
        f'{WARN_SHARE:.0%} at IoU >= 0.5',
        'change scales, strides or ratios of the anchor_generator, or the scale of Resize',
    )


def anchor_grid(generator: Mapping) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    """Base anchors and strides, per level, that an ``anchor_generator`` config makes."""
    from mmdet.registry import TASK_UTILS

    built = TASK_UTILS.build(dict(generator))
    return [anchors.double().numpy() for anchors in built.base_anchors], built.strides


def resized_boxes(cfg: Mapping, coco: Any) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of some training images as the network gets them, by the config's own resize.

    Args:
        cfg: a config.
        coco: content of the training annotation file; of its images, 1,000 are drawn.

    Returns:
        (N, 4) xyxy boxes, and the (N, 2) width and height of each one's padded image.
    """
    from mmcv.transforms import Compose
    from mmdet.registry import TRANSFORMS
    from mmdet.structures.bbox import HorizontalBoxes
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmdet'):
        resize = Compose(
            [
                TRANSFORMS.build(dict(node))
                for _, node in typed_dicts(cfg['train_dataloader']['dataset'])
                if 'Resize' in str(node['type'])
            ]
        )
    divisor = pad_size_divisor(cfg)
    bboxes, sizes = [np.zeros((0, 4))], [np.zeros((0, 2))]
    for (width, height), boxes in sample_boxes(coco):
        shape = (height, width)
        image = np.zeros((*shape, 3), dtype=np.uint8)
        results = resize(dict(img=image, img_shape=shape, gt_bboxes=HorizontalBoxes(boxes)))
        canvas = np.array(results.get('pad_shape', results['img_shape'])[1::-1])
        padded = np.ceil(canvas / divisor) * divisor
        bboxes.append(results['gt_bboxes'].tensor.double().numpy())
        sizes.append(np.tile(padded, (len(boxes), 1)))
    return np.concatenate(bboxes), np.concatenate(sizes)


def sample_boxes(coco: Any) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Width and height, and boxes (N, 4) xyxy, of up to 1,000 images that have any.

    Entries that are no sound boxes are left out.
    """
    coco = coco if isinstance(coco, Mapping) else {}
    boxes: dict[Any, list] = {}
    for annotation in coco.get('annotations') or ():
        try:
            x, y, w, h = map(float, annotation['bbox'])
        except (KeyError, TypeError, ValueError):
            continue
        if 0 < w < np.inf and 0 < h < np.inf:
            boxes.setdefault(annotation.get('image_id'), []).append((x, y, x + w, y + h))
    images = [image for image in coco.get('images') or () if image.get('id') in boxes]
    order = np.random.default_rng(0).permutation(len(images))[:MAX_IMAGES]
    for image in (images[index] for index in sorted(order)):
        yield (image['width'], image['height']), np.array(boxes[image['id']])
