"""The weights of a checkpoint, and what has to be known about them, in a ``.safetensors`` file."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mmdet_digits.checkpoints.matching import weights_of
from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.checkpoints.safetensors_files import SUFFIX, write_safetensors
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_outputs


def export_weights(
    src: Path,
    dst: Path,
    dtype: str = 'float32',
    drop: Sequence[str] = (),
    overwrite: bool = False,
) -> dict[str, Tensor]:
    """Write the weights of a checkpoint to a ``.safetensors`` file.

    With them go the names of the classes, the text of the config and the versions of the packages.
    Left out is what only a training needs: the optimizer, schedulers, histories, and with
    ``EMAHook`` the weights that are not averaged (``state_dict`` holds the averaged ones).

    Args:
        src: the checkpoint.
        dst: the file to write.
        dtype: of floating-point weights, float32, float16 or bfloat16. Counters keep theirs.
        drop: regular expressions. Weights whose name begins with one are left out, and the classes,
            so that a training for other classes can start from the others.
        overwrite: replace ``dst`` if it exists.

    Returns:
        What was written.

    Raises:
        InputError: ``src`` is no checkpoint, an expression matches nothing or is none, a weight is
            too large for ``dtype``, or ``dst`` cannot be written.
    """
    if dst.suffix != SUFFIX:
        raise InputError(
            f'{dst}: not a name for such a file.', dst.suffix or 'none', SUFFIX, 'add it'
        )
    check_outputs([dst], overwrite, inputs=[src])
    checkpoint = read_checkpoint(src)
    weights = _kept(weights_of(checkpoint), drop, src)
    weights = {name: _cast(name, value, dtype, src) for name, value in weights.items()}
    meta = checkpoint.get('meta', {})
    known = {
        'classes': None if drop else (meta.get('dataset_meta') or {}).get('classes'),
        'config': meta.get('cfg'),
        'versions': meta.get('versions') or {'mmengine': meta.get('mmengine_version')},
    }
    write_safetensors(dst, weights, {name: value for name, value in known.items() if value})
    return weights


def _kept(weights: dict[str, Tensor], drop: Sequence[str], src: Path) -> dict[str, Tensor]:
    weights = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    if not weights:
        raise InputError(f'{src}: holds no weights.', 'none', 'state_dict', 'give another file')
    for pattern in drop:
        try:
            dropped = [name for name in weights if re.match(pattern, name)]
        except re.error as error:
            raise InputError(
                f'--drop {pattern}: no regular expression.', str(error), 'one', 'correct it'
            ) from error
        if not dropped:
            raise InputError(
                f'--drop {pattern}: no weight of {src} begins like this.',
                ', '.join(sorted({name.rpartition('.')[0] for name in weights})[-6:]),
                'the beginning of a name',
                'correct it',
            )
        weights = {name: value for name, value in weights.items() if name not in dropped}
    if not weights:
        raise InputError(
            f'{src}: no weight is left to write.', f'--drop {" ".join(drop)}', 'one', 'drop fewer'
        )
    return weights


def _cast(name: str, value: Tensor, dtype: str, src: Path) -> Tensor:
    if not value.is_floating_point():
        return value
    if not torch.isfinite(value).all():
        raise InputError(
            f'{src}: {name} holds no numbers.',
            'NaN or infinity',
            'finite numbers',
            'use an earlier checkpoint; the training that wrote this one had diverged',
        )
    cast = value.to(getattr(torch, dtype))
    if not torch.isfinite(cast).all():
        raise InputError(
            f'{src}: {name} cannot be written in {dtype}.',
            f'values up to {value.abs().max():g}',
            f'at most {torch.finfo(cast.dtype).max:g}',
            '--dtype bfloat16 or float32',
        )
    return cast
