"""One process of the test that ranks agree to stop."""

import json
import signal
from pathlib import Path
from types import SimpleNamespace

import torch.distributed

import mmdet_digits.register  # noqa: F401
from mmdet_digits.engine.hooks import graceful_stop_hook


def ask_rank(rank: int, folder: str) -> None:
    """Run ten iterations in the middle of one step; the second rank is asked to stop in the third.

    Writes what this one knows of it after each, and after which the ranks spoke.
    """
    store = f'file://{folder}/store'
    torch.distributed.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    exchange, spoke, asked = graceful_stop_hook.all_reduce, [], []
    hook = graceful_stop_hook.GracefulStopHook()
    hook.interval = 4
    runner = SimpleNamespace(optim_wrapper=SimpleNamespace(should_update=lambda: False))

    def counted(number, operation):
        spoke.append(runner.iter + 1)
        exchange(number, operation)

    graceful_stop_hook.all_reduce = counted
    for runner.iter in range(10):
        if runner.iter == 2 and rank == 1:
            hook.signal = signal.SIGTERM
        hook.after_train_iter(runner, runner.iter % 3)
        asked.append(hook._agreed)
    Path(folder, f'{rank}.json').write_text(json.dumps([asked, spoke]))
    torch.distributed.destroy_process_group()
