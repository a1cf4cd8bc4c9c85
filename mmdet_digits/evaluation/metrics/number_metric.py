"""Exact-match accuracy of whole numbers, beside the boxes' mAP."""

from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import (
    NumberAssembly,
    assemble_numbers,
)
from mmdet_digits.assembly.number_scores import score_numbers
from mmdet_digits.assembly.true_numbers import GT_ORDERS, true_numbers
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.evaluation.assembly_files import read_assembly


@METRICS.register_module()
class NumberMetric(BaseMetric):
    """Assemble each image's detections to a number and compare it with the true number.

    Returns the scores of ``score_numbers``. The true number is spelled by the ground-truth boxes.
    Those marked as crowd or ignored do not count. Whether the pipeline has resized the boxes does
    not matter: their order from left to right stays.

    Args:
        assembly: The rules of the assembly: a preset (``'default'``, ``'system_a'``,
            ``'system_b'``), the path of a JSON file as ``tune_assembly.py`` writes it, or a dict of
            fields of ``NumberAssembly``, laid over the preset under its key ``'preset'`` (without
            one: ``'default'``).
        gt_order: How the true digits are put in order: by ``'left'`` edge, by ``'center'`` or
            along their ``'axis'`` as in ``NumberAssembly``, or as the ``'annotation'`` file lists
            them, for a file known to list them as they are read. SVHN's does, by left edges.
        collect_device: ``'cpu'`` or ``'gpu'``: where the ranks' results are gathered.
        prefix: Prefix of the names. Defaults to ``'number'``.

    Raises:
        InputError: If ``assembly`` is neither a preset nor such a file.
        ValueError: If a key of ``assembly`` or ``gt_order`` is not known.
    """

    default_prefix = 'number'

    def __init__(
        self,
        assembly: str | Mapping | NumberAssembly = 'default',
        gt_order: str = 'left',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ):
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.assembly = read_assembly(assembly)
        if gt_order not in GT_ORDERS:
            raise ValueError(f'gt_order: expected one of {GT_ORDERS}, found {gt_order!r}')
        self.gt_order = gt_order

    def process(self, data_batch: dict, data_samples: Sequence[dict]):
        """Keep the predicted and the true digits of each sample, as arrays on the CPU.

        Args:
            data_batch: The batch; not used.
            data_samples: The samples of the batch as dicts, with ``pred_instances`` and
                ``gt_instances`` or ``instances``.
        """
        for sample in data_samples:
            predicted = sample['pred_instances']
            self.results.append(
                {
                    'predicted': [_array(predicted[k]) for k in ('bboxes', 'labels', 'scores')],
                    'target': _ground_truth(sample),
                }
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score the numbers of all samples.

        Args:
            results: What ``process`` kept, of all ranks.

        Returns:
            The scores; none, with a warning, where no sample has any ground truth.
        """
        targets = [result['target'] for result in results]
        if not any(len(labels) for _, labels, _ in targets):
            MMLogger.get_current_instance().warning(
                f'NumberMetric: none of {len(results)} samples has a ground-truth digit, so there '
                'is no number accuracy. That is as it should be for a split without annotations; '
                'otherwise the pipeline lacks LoadAnnotations(with_bbox=True).'
            )
            return {}
        digit_of_label = self._digit_of_label()
        predicted = _concatenate([result['predicted'] for result in results], digit_of_label)
        numbers = assemble_numbers(predicted, self.assembly)
        truth = self._true_numbers(_concatenate(targets, digit_of_label))
        return score_numbers(numbers.strings, truth, numbers.confidences)

    def _true_numbers(self, digits: Detections) -> np.ndarray:
        numbers = true_numbers(digits, self.gt_order)
        differ = int((numbers != true_numbers(digits, 'annotation')).sum())
        if differ:
            MMLogger.get_current_instance().info(
                f'NumberMetric: {differ} of {len(numbers)} true numbers are annotated in another '
                f"order than by gt_order='{self.gt_order}', which is used"
            )
        return numbers

    def _digit_of_label(self) -> np.ndarray:
        """Map a class index to its digit, by the names of the classes."""
        classes = tuple(str(name) for name in self.dataset_meta['classes'])
        if sorted(classes) != sorted(DIGITS):
            raise ValueError(
                f"NumberMetric: expected the classes '0' to '9' in any order, found {classes}"
            )
        return np.array([int(name) for name in classes])


def _ground_truth(sample: dict) -> list[np.ndarray]:
    """Return boxes, labels and scores (ones); none where the sample has no ground truth.

    ``instances``, which a pipeline may pass on, are those of the annotation file.
    """
    bboxes, labels = np.zeros((0, 4)), np.zeros(0, dtype=int)
    truth = sample.get('gt_instances', {})
    if 'instances' in sample:
        kept = [instance for instance in sample['instances'] if not instance.get('ignore_flag')]
        bboxes = np.array([instance['bbox'] for instance in kept], dtype=float).reshape(-1, 4)
        labels = np.array([instance['bbox_label'] for instance in kept], dtype=int)
    elif 'bboxes' in truth and 'labels' in truth:
        bboxes, labels = _array(truth['bboxes']), _array(truth['labels'])
    return [bboxes, labels, np.ones(len(labels))]


def _array(values) -> np.ndarray:
    """Return a tensor, mmdet's boxes or an array as an array.

    bfloat16, which NumPy lacks, is doubled; on the CPU, since Apple's mps has no float64.
    """
    values = getattr(values, 'tensor', values)
    return (
        values.detach().cpu().double().numpy() if hasattr(values, 'detach') else np.asarray(values)
    )


def _concatenate(samples: list[list[np.ndarray]], digit_of_label: np.ndarray) -> Detections:
    bboxes, labels, scores = (np.concatenate(arrays) for arrays in zip(*samples, strict=True))
    image_index = np.repeat(np.arange(len(samples)), [len(labels) for _, labels, _ in samples])
    digits = digit_of_label[labels.astype(int)]
    return Detections(image_index, bboxes, digits, scores, len(samples))
