"""The choices that a study compares, as changes of a config: names in, options out."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mmdet_digits.checks.config_data import SPLITS
from mmdet_digits.checks.keys import typed_dicts
from mmdet_digits.checks.preflight import config_paths
from mmdet_digits.errors import InputError

OURS = 'ours'
#: What mmdet's Faster R-CNN has, and torchvision's: RoIs, proposals in training and in testing.
PEER_BUDGET = {
    'model.train_cfg.rcnn.sampler.num': 512,
    'model.train_cfg.rcnn.sampler.pos_fraction': 0.25,
    'model.train_cfg.rpn_proposal.nms_pre': 2000,
    'model.train_cfg.rpn_proposal.max_per_img': 2000,
    'model.test_cfg.rpn.nms_pre': 1000,
    'model.test_cfg.rpn.max_per_img': 1000,
}


@dataclass(frozen=True)
class Study:
    """A question about the cost of accuracy.

    Attributes:
        about: what is varied.
        names: the variants it compares unless others are asked for.
        options: gives the changes of a variant from the config and its name.
        grammar: what names there are, in words.
        retrained: whether a variant is a training of its own, or only a test.
    """

    about: str
    names: tuple[str, ...]
    options: Callable[[Mapping, str], dict[str, Any]]
    grammar: str
    retrained: bool = True


def resolution_options(cfg: Mapping, name: str) -> dict[str, Any]:
    """Fit images into the canvas that ``WxH`` names."""
    found = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', name)
    if not found:
        raise no_variant(name, 'resolution')
    scale = tuple(map(int, found.groups()))
    return {f'{path}.scale': scale for path in resize_paths(cfg)}


def roi_options(cfg: Mapping, name: str) -> dict[str, Any]:
    """Sample so many RoIs in training, from at least twice as many proposals."""
    count = parse_count(name, 'rois')
    return {
        'model.train_cfg.rcnn.sampler.num': count,
        **at_least(cfg, 'model.train_cfg.rpn_proposal', 2 * count),
    }


def proposal_options(cfg: Mapping, name: str) -> dict[str, Any]:
    """Keep so many proposals in testing."""
    return exactly(cfg, 'model.test_cfg.rpn', parse_count(name, 'proposals'))


def train_proposal_options(cfg: Mapping, name: str) -> dict[str, Any]:
    """Keep so many proposals in training; RoIs are sampled from them."""
    return exactly(cfg, 'model.train_cfg.rpn_proposal', parse_count(name, 'train_proposals'))


def peer_options(cfg: Mapping, name: str) -> dict[str, Any]:
    """Nothing for ``ours``, the peer's budgets for ``peer-rois``, and its ``peer-WxH`` too."""
    if name == OURS:
        return {}
    if name == 'peer-rois':
        return dict(PEER_BUDGET)
    scale = re.fullmatch(r'peer-(\d+x\d+)', name)
    if not scale:
        raise no_variant(name, 'peer')
    return {**resolution_options(cfg, scale[1]), **PEER_BUDGET}


STUDIES = {
    'resolution': Study(
        'the canvas that images are fitted into',
        ('128x64', '160x80', '192x96', '256x128', '320x160'),
        resolution_options,
        'WxH, e.g. 1333x800',
    ),
    'rois': Study(
        'RoIs sampled in training',
        ('16', '32', '64', '128', '256', '512'),
        roi_options,
        'whole numbers',
    ),
    'proposals': Study(
        'proposals in testing',
        ('20', '50', '100', '300', '1000'),
        proposal_options,
        'whole numbers',
        retrained=False,
    ),
    'train_proposals': Study(
        'proposals in training',
        ('20', '50', '100', '300', '1000'),
        train_proposal_options,
        'whole numbers',
    ),
    'peer': Study(
        "torchvision's RoI budget and image size against ours",
        (OURS, 'peer-rois', 'peer-1333x800'),
        peer_options,
        f'{OURS}, peer-rois, peer-WxH',
    ),
}


def run_options(cfg: Mapping, epochs: int | None, train_images: int | None) -> dict[str, Any]:
    """The changes that every training of a study gets: a shorter run that keeps one checkpoint.

    A schedule that ends with the last epoch ends with the new last one; milestones move along.

    Args:
        cfg: the config.
        epochs: how many to train; None for as many as the config does.
        train_images: train on so many images, the first; None for all.
    """
    old = cfg['train_cfg']['max_epochs']
    epochs = epochs or old
    options = {
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs,
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        'default_hooks.checkpoint.save_best': None,
        'log_processor.window_size': cfg['default_hooks']['logger']['interval'],
    }
    for place, scheduler in enumerate(cfg['param_scheduler']):
        path = f'param_scheduler.{place}'
        by_epoch = scheduler.get('by_epoch', True)
        for key in ('T_max', 'end'):
            if by_epoch and scheduler.get(key) == old:
                options[f'{path}.{key}'] = epochs
        if by_epoch and 'milestones' in scheduler:
            moved = [round(at * epochs / old) for at in scheduler['milestones']]
            options[f'{path}.milestones'] = moved
    if train_images:
        options['train_dataloader.dataset.indices'] = train_images
    return options


def changed(cfg: Config, options: Mapping[str, Any]) -> Config:
    """A copy of a config with options merged into it."""
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict({path.lstrip('+'): value for path, value in options.items()})
    return cfg


def as_arguments(cfg: Mapping, options: Mapping[str, Any]) -> list[str]:
    """Options as ``--cfg-options`` takes them, with ``+`` before paths that the config lacks."""
    known = set(config_paths(cfg))
    texts = {
        path: value if isinstance(value, str) else str(value).replace(' ', '')
        for path, value in options.items()
    }
    return [f'{"" if path in known else "+"}{path}={text}' for path, text in texts.items()]


def resize_paths(cfg: Mapping) -> list[str]:
    """The dotted path of each ``CanvasResize`` in the data loaders.

    Raises:
        InputError: one of them does not resize.
    """
    found = []
    for split in SPLITS:
        loader = f'{split}_dataloader'
        paths = [
            path
            for path, step in typed_dicts(cfg[loader], loader)
            if step['type'] == 'CanvasResize'
        ]
        if not paths:
            raise InputError(
                f'{loader}: nothing to vary.',
                'a pipeline without CanvasResize',
                'a step dict(type="CanvasResize", scale=(W, H))',
                'choose a config that has one',
            )
        found += paths
    return found


def exactly(cfg: Mapping, path: str, count: int) -> dict[str, Any]:
    """Keep ``count`` proposals after NMS, and before it as many as configured or more."""
    return {**at_least(cfg, path, count), f'{path}.max_per_img': count}


def at_least(cfg: Mapping, path: str, count: int) -> dict[str, Any]:
    """Keep ``count`` proposals or as many as configured, before NMS and after it."""
    stage, part = path.split('.')[1:]
    budget = cfg['model'][stage][part]
    return {f'{path}.{key}': max(budget[key], count) for key in ('nms_pre', 'max_per_img')}


def parse_count(name: str, study: str) -> int:
    """The whole number that a name is."""
    if not re.fullmatch('[1-9][0-9]*', name):
        raise no_variant(name, study)
    return int(name)


def no_variant(name: str, study: str) -> InputError:
    """What to say of a name that no variant has."""
    return InputError(
        f'--variants: the study {study} has no such variant.',
        repr(name),
        STUDIES[study].grammar,
        f'one of {", ".join(STUDIES[study].names)}, or another of that kind',
    )
