"""Runs whose every step is recorded, to compare two of them bit for bit."""

import copy
import hashlib
import json
import time
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.engine.run_errors import explained_errors


class Recorder(Hook):
    """What each iteration was given and gave."""

    def __init__(self) -> None:
        self.steps = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.steps[runner.iter] = (
            [sample.img_id for sample in data_batch['data_samples']],
            [digest({'image': image}) for image in data_batch['inputs']],
            [sample.gt_instances.bboxes.tensor.tolist() for sample in data_batch['data_samples']],
            runner.optim_wrapper.get_lr(),
            outputs['loss'].item(),
        )


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """A hash of named tensors."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def train(cfg, *hooks, resume=False):
    """Run a config; return what was recorded, and the last checkpoint or what interrupted it."""
    cfg = copy.deepcopy(cfg)
    cfg.resume = resume
    cfg.experiment_name += f'_{time.time_ns()}'  # a new process would not know of the old one
    cfg.visualizer.name = cfg.experiment_name
    runner, recorder = Runner.from_cfg(cfg), Recorder()
    for hook in (recorder, *hooks):
        runner.register_hook(hook)
    try:
        with explained_errors(runner):
            runner.train()
    except KeyboardInterrupt as stop:
        return recorder.steps, stop.with_traceback(None)  # whose frames hold the data workers
    last = Path(cfg.work_dir, f'epoch_{cfg.train_cfg.max_epochs}.pth')
    return recorder.steps, read_checkpoint(last)


def best(checkpoint):
    info = checkpoint['message_hub']['runtime_info']
    return info['best_score'], Path(info['best_ckpt']).name


def assert_same_end(a, b):
    """The same weights, optimizer, schedule and best score; `pytest -s` shows the hashes."""
    hashes = [digest(checkpoint['state_dict']) for checkpoint in (a, b)]
    print(f'\nSHA-256 of the weights: {hashes[0]}\n                    and: {hashes[1]}')
    assert hashes[0] == hashes[1]
    for key in ('optimizer', 'param_schedulers'):
        assert equal(a[key], b[key]), key
    assert best(a) == best(b)


def equal(a, b) -> bool:
    """Compare nested states exactly."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def scalars(work_dir):
    files = work_dir.glob('*/vis_data/scalars.json')
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith('}')]
