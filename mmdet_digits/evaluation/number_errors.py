"""What goes wrong when the numbers of a data set are read."""

from dataclasses import dataclass

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.digit_confusion import digit_confusion
from mmdet_digits.assembly.edit_distance import batch_edits, encode_numbers
from mmdet_digits.assembly.number_assembly import (
    NumberAssembly,
    Numbers,
    assemble_numbers,
)
from mmdet_digits.assembly.number_scores import score_numbers
from mmdet_digits.assembly.true_numbers import true_numbers
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.predictions import Predictions


@dataclass(frozen=True, eq=False)
class NumberErrors:
    """The errors of a set of predictions.

    Attributes:
        detections: The detections, sorted into the M images.
        numbers: The numbers read.
        truth: The true numbers (M,).
        distances: Edit distance of each number to the true one (M,).
        scores: Figures of ``score_numbers``.
        confusion: Counts (11, 11) of ``digit_confusion``.
    """

    detections: Detections
    numbers: Numbers
    truth: np.ndarray
    distances: np.ndarray
    scores: dict[str, float]
    confusion: np.ndarray

    def worst(self, limit: int) -> np.ndarray:
        """Return the wrongly read images, worst first: most edits, then most confident."""
        order = np.lexsort((-self.numbers.confidences, -self.distances))
        return order[: min(limit, int((self.distances > 0).sum()))]


def find_errors(
    predictions: Predictions,
    annotations: Annotations,
    assembly: NumberAssembly,
    gt_order: str = 'left',
    score_thr: float = 0.6,
    iou_thr: float = 0.5,
) -> NumberErrors:
    """Compare predictions with the annotations, number by number and digit by digit.

    Args:
        predictions: The detections.
        annotations: The true digits.
        assembly: How the numbers are made.
        gt_order: How the true digits are put in order, see ``true_numbers``.
        score_thr: Detections with a lower score are left out of the confusion matrix.
        iou_thr: Overlap from which a true digit counts as found there.

    Raises:
        InputError: a detection is in an image that has no annotations.
    """
    detections = annotations.detections_of(predictions)
    numbers = assemble_numbers(detections, assembly)
    truth = true_numbers(annotations.truth, gt_order)
    edits = batch_edits(encode_numbers(numbers.strings), encode_numbers(truth))
    return NumberErrors(
        detections,
        numbers,
        truth,
        edits.distance,
        score_numbers(numbers.strings, truth, numbers.confidences),
        digit_confusion(annotations.truth, detections, score_thr, iou_thr),
    )
