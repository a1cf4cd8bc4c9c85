"""One detector of a comparison, in the process that is its own."""

import logging
import math
import time
from pathlib import Path
from types import SimpleNamespace

import mmdet_digits.register  # noqa: F401  (before torch: threads that wait must not spin)

# isort: split
import torch
from common import seconds_of
from mmdet.registry import DATASETS, MODELS, OPTIM_WRAPPERS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmengine.runner.amp import autocast
from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

from mmdet_digits.checks.config_files import find_config
from mmdet_digits.engine.hooks.execution_hook import prepare_as_configured
from mmdet_digits.errors import InputError, RunError
from mmdet_digits.repository import REPOSITORY

PEER = 'torchvision'
PEER_SIZE = '1333x800'
DATA_CONFIG = 'configs/_base_/datasets/digits_detection.py'
FROZEN_BY_DEFAULT = ('conv1', 'bn1', 'layer1')  # trainable_backbone_layers=3
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'

own = SimpleNamespace()
"""The detector of this process: its step, the batches of its rounds, its input size, its clock."""


def prepare(contender, work) -> None:
    """Build the detector and read its images.

    Args:
        contender: a ``contenders.Contender``.
        work: a ``contenders.Work``.
    """
    logging.disable(logging.INFO)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    build = build_peer if contender.config == PEER else build_own
    own.step, own.batches, own.size = build(contender, work)
    own.clock = time.process_time if work.cpu_time else time.perf_counter


def take_step(index: int) -> tuple[float, float | None]:
    """Do one step with the images of its round; return its seconds and its loss."""
    torch.manual_seed(index)
    losses = []
    seconds = seconds_of(lambda: losses.append(own.step(own.batches[index])), own.clock)
    loss = None if losses[0] is None else losses[0].item()
    if loss is not None and not math.isfinite(loss):
        raise RunError(f'The loss of step {index} is {loss}: what was timed is no training.')
    return seconds, loss


def input_size() -> str:
    """The largest input of this detector."""
    return own.size


def build_own(contender, work):
    """A config of this project: its step, batches and input size."""
    cfg = Config.fromfile(named_config(contender.config))
    cfg.merge_from_dict(contender.options)
    model = build_model(cfg)
    torch.backends.cudnn.benchmark = cfg.env_cfg.get('cudnn_benchmark', False)
    loader = cfg.train_dataloader if work.training else cfg.test_dataloader
    pipeline = loader.dataset.pipeline
    if work.amp:
        cfg.optim_wrapper.type = 'PortableAmpOptimWrapper'
    wrapper = build_optim_wrapper(model.train(), cfg.optim_wrapper)
    mixed = work.amp or cfg.test_cfg.get('fp16', False)

    def train(batch):
        return model.train_step(batch, wrapper)['loss']

    @torch.no_grad()
    def predict(batch):
        with autocast(enabled=mixed):
            model.eval().test_step(batch)

    batches = [pseudo_collate(items) for items in read_batches(work, pipeline)]
    return train if work.training else predict, batches, scale_of(pipeline)


def named_config(name: str) -> Path:
    """The config of this project that has a name, or that of a path."""
    path = REPOSITORY / 'configs' / 'digits' / f'{name}.py'
    return path if path.is_file() else find_config(name)


def build_model(cfg: Config, checkpoint: str | None = None):
    """The detector of a config, with random weights or those of a checkpoint."""
    torch.manual_seed(0)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    if checkpoint:
        load_checkpoint(model, checkpoint, map_location='cpu')
    prepare_as_configured(model.to(DEVICE), cfg)
    return model


def scale_of(pipeline: list[dict]) -> str:
    """The largest input that a pipeline gives, W x H in pixels."""
    width, height = next(step.scale for step in pipeline if step.type == 'CanvasResize')
    return f'{width}x{height}'


def read_unresized(work) -> list[list[dict]]:
    """Read the images of each round as the peer gets them, which resizes by itself."""
    pipeline = Config.fromfile(REPOSITORY / DATA_CONFIG).train_pipeline
    return read_batches(work, [step for step in pipeline if step.type != 'CanvasResize'])


def build_peer(contender, work):
    """The detector of torchvision, from its own package: its step, batches and input size."""
    model = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=11)
    for name, parameter in model.backbone.body.named_parameters():
        parameter.requires_grad_(not name.startswith(FROZEN_BY_DEFAULT))
    model.to(DEVICE).train()
    sgd = torch.optim.SGD(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=5e-3,
        momentum=0.9,
        weight_decay=5e-4,
    )
    kind = 'PortableAmpOptimWrapper' if work.amp else 'OptimWrapper'
    wrapper = OPTIM_WRAPPERS.build(dict(type=kind, optimizer=sgd))

    def train(batch):
        images, targets = on_device(batch)
        with wrapper.optim_context(model):
            loss = sum(model(images, targets).values())
        wrapper.update_params(loss)
        return loss.detach()

    @torch.no_grad()
    def predict(batch):
        with autocast(enabled=work.amp):
            model.eval()(on_device(batch)[0])

    batches = [
        list(zip(*map(to_torchvision, items), strict=True)) for items in read_unresized(work)
    ]
    return train if work.training else predict, batches, PEER_SIZE


def read_batches(work, pipeline: list[dict]) -> list[list[dict]]:
    """Read the images of each round through a pipeline."""
    dataset = Config.fromfile(REPOSITORY / DATA_CONFIG).train_dataloader.dataset
    dataset.update(data_root='', ann_file=str(work.ann), data_prefix=dict(img=f'{work.images}/'))
    dataset = DATASETS.build(dict(dataset, pipeline=pipeline))
    if len(dataset) < work.rounds * work.batch:
        raise InputError(
            f'{work.ann}: too few images with digits.',
            str(len(dataset)),
            f'{work.rounds * work.batch}: as many as are timed, each once',
            'a smaller --batch, or fewer --repeats',
        )
    return [
        [dataset[i] for i in range(first, first + work.batch)]
        for first in range(0, work.rounds * work.batch, work.batch)
    ]


def to_torchvision(item: dict) -> tuple[torch.Tensor, dict]:
    """An image in RGB from 0 to 1, and its boxes with labels from 1."""
    truth = item['data_samples'].gt_instances
    target = dict(boxes=truth.bboxes.tensor, labels=truth.labels + 1)
    return item['inputs'].flip(0).float() / 255, target


def on_device(batch) -> tuple[list[torch.Tensor], list[dict]]:
    """Copy a batch of the peer to where it computes."""
    images, targets = batch
    return (
        [image.to(DEVICE) for image in images],
        [{name: value.to(DEVICE) for name, value in target.items()} for target in targets],
    )
