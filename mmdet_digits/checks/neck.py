"""Whether a neck takes the features that its backbone gives."""

from collections.abc import Mapping

import torch

from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.errors import InputError


def check_neck(cfg: Mapping) -> Check:
    """Compare the channels of a backbone's features with those that the neck was told.

    The backbone is built without memory for it, and sees no image.

    Args:
        cfg: a config.
    """
    import mmdet_digits.register  # noqa: F401  (operators before mmdet)

    # isort: split
    from mmdet.registry import MODELS

    neck = cfg['model'].get('neck') or {}
    first = neck[0] if isinstance(neck, list | tuple) else neck
    expected = first.get('in_channels')
    if not isinstance(expected, list | tuple):
        return Check('Neck', Status.OK, 'not compared: it is told no list of channels')
    try:
        with torch.device('meta'):
            backbone = MODELS.build(cfg['model']['backbone'])
            found = [level.shape[1] for level in backbone(torch.empty(2, 3, 64, 64))]
    except InputError:  # a package is missing, which is a check of its own
        return Check('Neck', Status.OK, 'not compared: the backbone cannot be built here')
    if found == list(expected):
        return Check('Neck', Status.OK, f'takes the channels of the backbone, {found}')
    return Check(
        'The neck takes other channels than the backbone gives.',
        Status.FAIL,
        f'model.neck.in_channels={list(expected)}',
        f'{found}, of the levels that model.backbone.out_indices names',
        f'--cfg-options "model.neck.in_channels={found}"',
    )
