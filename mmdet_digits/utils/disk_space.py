"""Whether the checkpoints that a run will write fit on the disk."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from mmdet_digits.utils.checks import Check, Status


def check_disk(cfg: Mapping) -> Check:
    """Compare the space that the checkpoints of a run will take with what is free.

    Args:
        cfg: a config with ``work_dir``, which need not exist.
    """
    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    if not hook or not epochs:
        return Check('Disk space', Status.OK, 'not compared: no epochs whose checkpoints are kept')
    size, count = checkpoint_bytes(cfg), checkpoints_kept(epochs, hook)
    work_dir = Path(cfg['work_dir']).absolute()
    there = next(folder for folder in (work_dir, *work_dir.parents) if folder.is_dir())
    return judge_space(size, count, shutil.disk_usage(there).free, work_dir)


def judge_space(size: int, count: int, free: int, work_dir: Path) -> Check:
    """Judge whether ``count`` checkpoints of ``size`` bytes fit into ``free`` bytes."""
    found = (
        f'{count} checkpoints of {_readable(size)} are {_readable(size * count)}; '
        f'{_readable(free)} are free for {work_dir}'
    )
    if size * count <= free:
        return Check('Disk space', Status.OK, found)
    return Check(
        'The checkpoints of the run will not fit on the disk.',
        Status.FAIL,
        found,
        f'{_readable(size * count)} free',
        '--work-dir on another disk, or keep fewer: --cfg-options '
        f'+default_hooks.checkpoint.max_keep_ckpts={max(free // max(size, 1) - 2, 1)}',
    )


def checkpoints_kept(epochs: int, hook: Mapping) -> int:
    """How many checkpoints a run has on the disk at most.

    Args:
        epochs: that it trains.
        hook: config of MMEngine's ``CheckpointHook``.
    """
    interval, most = hook.get('interval', -1), hook.get('max_keep_ckpts', -1)
    kept = -(-epochs // interval) if interval > 0 else 1  # the last epoch is always saved
    if most > 0:
        kept = min(kept, most + 1)  # the oldest goes after the newest is written
    best = hook.get('save_best') or ()
    return kept + (1 if isinstance(best, str) else len(best))


def checkpoint_bytes(cfg: Mapping) -> int:
    """Size of one checkpoint: the model's tensors, and what its optimizer keeps of each weight."""
    from mmdet.registry import MODELS
    from mmengine.config import ConfigDict
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(ConfigDict(cfg['model']))
    tensors = [*model.parameters(), *model.buffers()]
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    held = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if not cfg['default_hooks']['checkpoint'].get('save_optimizer', True):
        return held
    return held + round(trained * states_per_weight(cfg['optim_wrapper']['optimizer']))


def states_per_weight(optimizer: Mapping) -> float:
    """How many numbers an optimizer keeps for each weight, by stepping it once."""
    import torch
    from mmengine.registry import OPTIMIZERS

    weights = torch.nn.Parameter(torch.zeros(1000))
    weights.grad = torch.zeros(1000)
    built = OPTIMIZERS.build(dict(optimizer, params=[weights]))
    built.step()
    kept = [v for v in built.state[weights].values() if isinstance(v, torch.Tensor)]
    return sum(value.numel() for value in kept) / weights.numel()


def _readable(size: int) -> str:
    return f'{size / 2**30:.1f} GiB' if size >= 2**30 else f'{size / 2**20:.0f} MiB'
