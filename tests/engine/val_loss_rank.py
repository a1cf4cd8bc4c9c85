"""One process of the test of the validation loss on two ranks."""

import json
import os
from pathlib import Path

import torch.distributed
from tiny_runs import build_runner, tiny_cfg


def exhaustive_cfg(work_dir):
    """A config whose loss does not depend on how its images are split into batches."""
    cfg = tiny_cfg(work_dir, images=5, batch=1)
    cfg.model.train_cfg.rpn.sampler.num = cfg.model.train_cfg.rcnn.sampler.num = 10**6
    return cfg


def validate_rank(rank: int, folder: str) -> None:
    """Validate as one of two ranks, write what it measured."""
    os.chdir(folder)  # MMEngine exchanges the results in a folder under the current one
    store = f'file://{folder}/store'
    torch.distributed.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    metrics = build_runner(exhaustive_cfg(Path(folder, 'run'))).val_loop.run()
    Path(folder, f'{rank}.json').write_text(json.dumps(metrics))
    torch.distributed.destroy_process_group()
