"""Checks of COCO annotation files and their image folders, and the repair of what they find.

Nothing here needs torch or mmdet, so that it runs where those are missing or broken, and at once.
"""

from mmdet_digits.checks.data.repair import repair_dataset
from mmdet_digits.checks.data.splits import (
    BETWEEN,
    Split,
    check_dataset,
    check_splits,
    find_splits,
)

__all__ = ['BETWEEN', 'Split', 'check_dataset', 'check_splits', 'find_splits', 'repair_dataset']
