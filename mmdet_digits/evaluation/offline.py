"""All figures of saved predictions, without a model."""

from mmdet_digits.assembly.number_assembly import NumberAssembly, assemble_numbers
from mmdet_digits.assembly.number_scores import score_numbers
from mmdet_digits.assembly.true_numbers import true_numbers
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.coco_figures import coco_figures
from mmdet_digits.evaluation.predictions import Predictions


def evaluate_predictions(
    predictions: Predictions,
    annotations: Annotations,
    assembly: NumberAssembly,
    gt_order: str = 'left',
) -> dict[str, float]:
    """Return what ``DigitsCocoMetric`` and ``NumberMetric`` report, under their keys, unrounded.

    Args:
        predictions: The detections.
        annotations: The true digits.
        assembly: How the numbers are made.
        gt_order: How the true digits are put in order, see ``true_numbers``.

    Raises:
        InputError: a detection is in an image that has no annotations.
    """
    detections = annotations.detections_of(predictions)
    numbers = assemble_numbers(detections, assembly)
    truth = true_numbers(annotations.truth, gt_order)
    scores = score_numbers(numbers.strings, truth, numbers.confidences)
    return {
        **coco_figures(annotations, predictions),
        **{f'number/{name}': value for name, value in scores.items()},
    }
