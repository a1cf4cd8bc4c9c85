"""The numbers that annotated digits spell."""

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import assemble_numbers

GT_ORDERS = ('annotation', 'left', 'center', 'axis')

READ_ALL = {
    'score_thr': 0.0,
    'iou_thr': None,
    'containment_thr': None,
    'max_gap_heights': None,
    'min_height_ratio': None,
}
"""The assembly that reads every box."""


def true_numbers(digits: Detections, gt_order: str = 'left') -> np.ndarray:
    """Spell the number of each image from its true digits; every box counts.

    Args:
        digits: The true digits, each image's in the order of the annotation file.
        gt_order: How they are read: by ``'left'`` edge, by ``'center'``, along their ``'axis'`` as
            in ``NumberAssembly``, or as the ``'annotation'`` file lists them.

    Returns:
        The numbers (M,), ``'-1'`` where there is no digit.

    Raises:
        ValueError: If the order is not known.
    """
    if gt_order not in GT_ORDERS:
        raise ValueError(f'gt_order: expected one of {GT_ORDERS}, found {gt_order!r}')
    if gt_order == 'annotation':
        return assemble_numbers(_in_a_row(digits), READ_ALL).strings
    return assemble_numbers(digits, {**READ_ALL, 'order': gt_order}).strings


def _in_a_row(digits: Detections) -> Detections:
    """Replace the boxes by ones that stand from left to right as they are listed."""
    x = np.arange(len(digits))
    bboxes = np.stack([x, np.zeros_like(x), x + 1, np.ones_like(x)], axis=1)
    return Detections(digits.image_index, bboxes, digits.labels, digits.scores, digits.num_images)
