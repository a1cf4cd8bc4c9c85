"""The table that a test run ends with."""

from collections.abc import Mapping

from rich.table import Table

from mmdet_digits.categories import DIGITS

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
    'images_per_second': 'images/s',
}


def metrics_table(metrics: Mapping[str, float]) -> Table:
    """Lay the main figures of a test run out as a table; figures it does not have are left out.

    Args:
        metrics: value per metric key, as the evaluators return them.
    """
    table = Table('metric')
    table.add_column('value', justify='right')
    for key, name in ROWS.items():
        if key in metrics:
            table.add_row(name, f'{metrics[key]:.3f}' if '/' in key else f'{metrics[key]:.1f}')
    return table
