"""Precision, recall and F1 of the digits above a score."""

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmdet_digits.assembly.matching import match_greedily, precision_recall_f1


@METRICS.register_module()
class DigitsPrecisionMetric(BaseMetric):
    """What system A calls accuracy: the share of its detections that are right.

    A detection counts if it scores at least ``score_thr``; it is right if there is a ground truth
    of its class with an IoU of at least ``iou_thr`` that no earlier one has taken. A detector that
    says little scores high, and a higher ``score_thr`` alone makes the figure rise: system A had
    0.526 at 0.05 and 0.908 at 0.7. So recall and F1 stand beside it.

    Detections come as the model sorts them, by falling score. The ground truth must be in pixels
    of the original image, as it is with ``LoadAnnotations`` after ``Resize``.

    Args:
        score_thr: The least score of a detection that counts.
        iou_thr: The least IoU with its ground truth.
        collect_device: ``'cpu'`` or ``'gpu'``: where the ranks' results are gathered.
        prefix: Prefix of the names. Defaults to ``'digits'``.
    """

    default_prefix = 'digits'

    def __init__(
        self,
        score_thr: float = 0.7,
        iou_thr: float = 0.5,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.score_thr = score_thr
        self.iou_thr = iou_thr

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count for each sample what is matched, what is predicted and what there is.

        Args:
            data_batch: The batch; not used.
            data_samples: The samples as dicts, with ``pred_instances`` and ``gt_instances``.
        """
        for sample in data_samples:
            predicted, truth = sample['pred_instances'], sample.get('gt_instances', {})
            # in the precision of the scores: 0.7 as float32 is less than 0.7 as float64
            counted = (torch.as_tensor(predicted['scores']) >= self.score_thr).cpu().numpy()
            bboxes, labels = (_array(predicted[key])[counted] for key in ('bboxes', 'labels'))
            gt_bboxes, gt_labels = (_array(truth.get(key, ())) for key in ('bboxes', 'labels'))
            matches = match_greedily(bboxes, labels, gt_bboxes, gt_labels, self.iou_thr)
            self.results.append((int((matches >= 0).sum()), len(labels), len(gt_labels)))

    def compute_metrics(self, results: list[tuple[int, int, int]]) -> dict[str, float]:
        """Score all samples together.

        Args:
            results: What ``process`` counted, of all ranks.

        Returns:
            ``precision``, ``recall`` and ``f1``; nothing, with a warning, without ground truth.
        """
        matched, predicted, actual = (int(count) for count in np.sum(results, axis=0))
        if not actual:
            MMLogger.get_current_instance().warning(
                f'DigitsPrecisionMetric: none of {len(results)} samples has a ground-truth digit, '
                'so there is no precision.'
            )
            return {}
        return precision_recall_f1(matched, predicted, actual)


def _array(values) -> np.ndarray:
    """Return a tensor or mmdet's boxes as an array.

    bfloat16, which NumPy lacks, is doubled; on the CPU, since Apple's mps has no float64.
    """
    return torch.as_tensor(getattr(values, 'tensor', values)).cpu().double().numpy()
