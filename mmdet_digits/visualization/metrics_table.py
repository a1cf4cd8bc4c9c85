"""The table that a test run ends with."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.evaluation.evaluators import own_metrics

#: Metric key -> what the table calls it, in its order.
ROWS = {
    'coco/bbox_mAP': 'mAP',
    'coco/bbox_mAP_50': 'AP50',
    'coco/bbox_mAP_75': 'AP75',
    **{f'coco/{digit}_precision': f'AP of {digit}' for digit in DIGITS},
    'number/accuracy': 'number accuracy',
    'number/accuracy_low': '.. 95 % interval from',
    'number/accuracy_high': '.. to',
    'number/digit_error_rate': 'digit error rate',
    'digits/precision': 'digit precision',
    'digits/recall': 'digit recall',
    'digits/f1': 'digit F1',
    'images_per_second': 'images/s',
}


def metrics_table(metrics: Mapping[str, float]) -> Table:
    """Lay the main figures of a test run out as a table for the terminal; see :func:`metric_rows`.

    Args:
        metrics: value per metric key, as the evaluators return them.
    """
    table = Table('metric')
    table.add_column('value', justify='right')
    for name, value in metric_rows(metrics):
        table.add_row(Text(name), value)
    return table


def metric_rows(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """The main figures of a test run, each with its name; figures it does not have are left out.

    What a config's own metrics return is shown under its key.

    Args:
        metrics: value per metric key, as the evaluators return them.
    """
    rows = []
    for key, name in [*ROWS.items(), *((key, key) for key in own_metrics(metrics))]:
        if key in metrics:
            form = '.1f' if key == 'images_per_second' else '.3f'
            value = metrics[key]
            rows.append((name, f'{value:{form}}' if isinstance(value, float) else str(value)))
    return rows
