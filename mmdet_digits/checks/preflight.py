"""What the tools check by themselves before the first iteration.

The quick part of ``tools/doctor.py``: each check answers with findings; the tools decide what to do
with them.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.device import get_device

from mmdet_digits.checks.anchors import check_anchors
from mmdet_digits.checks.config import (
    check_batch_independence,
    check_classes,
    check_held_out,
    check_learning_rate,
    check_machine,
    check_packages,
    check_scales,
)
from mmdet_digits.checks.config_data import annotated_datasets, coco_splits, read_splits, split_of
from mmdet_digits.checks.data import Split, check_dataset
from mmdet_digits.checks.finding import Check, Status, attempt
from mmdet_digits.checks.keys import READ_KEYS, check_keys
from mmdet_digits.checks.neck import check_neck
from mmdet_digits.checks.schedule import check_schedule
from mmdet_digits.checks.values import check_values
from mmdet_digits.checks.weights import check_weights
from mmdet_digits.repository import tool_command

NAMES_OF_PARTS = frozenset({'train_pipeline', 'val_pipeline', 'test_pipeline'})
"""What mmdet's configs call a part that they use further down. A dumped config keeps the name, and
its value need no longer be that of the part, which an option may have changed."""


def preflight(cfg: Mapping, names: Sequence[str]) -> list[Check]:
    """Make every check that takes no more than a moment.

    Args:
        cfg: a config as plain dicts and lists.
        names: the splits that the run reads, of ``'train'``, ``'val'`` and ``'test'``.
    """
    splits, odd_files = read_splits(coco_splits(cfg, names))
    checks = check_config(cfg, splits, training='train' in names)
    found = odd_files + attempt('Data', check_dataset, splits, broken=Status.WARN)
    return checks + [for_run(check, cfg, splits) for check in found]


def for_run(check: Check, cfg: Mapping, splits: Mapping[str, Split]) -> Check:
    """A check of the data as a run tells it: named after the annotation file, not the split."""
    check = as_skipped(check, cfg, splits)
    name, colon, rest = check.name.partition(': ')
    if name not in splits:
        return check
    return replace(check, name=f'{splits[name].ann_file}{colon}{rest}')


def as_skipped(check: Check, cfg: Mapping, splits: Mapping[str, Split]) -> Check:
    """A check of the data, whose failure is a warning where the data set skips what is broken.

    The data set itself counts, and stops at too many.
    """
    name = check.name.partition(': ')[0]
    if name not in splits or check.status is not Status.FAIL:
        return check
    loader = cfg[f'{name.partition(" ")[0]}_dataloader']
    skips = any(dataset.get('on_broken') == 'skip' for dataset in annotated_datasets(loader))
    return replace(check, status=Status.WARN) if skips else check


def check_config(
    cfg: Mapping, splits: Mapping[str, Split], training: bool, ask: bool = False
) -> list[Check]:
    """Check that the parts of a config fit each other and the data.

    Args:
        cfg: a config as plain dicts and lists.
        splits: its annotation files, parsed.
        training: make the checks that only matter to a training too.
        ask: ask the servers for weights that are not here.
    """
    annotations = splits['train'].coco if 'train' in splits else None
    processes = int(os.environ.get('WORLD_SIZE', 1))
    planned: list[tuple] = [
        ('Keys', check_keys, cfg),
        ('Values', check_values, cfg),
        ('Packages', check_packages, cfg),
        ('Classes', check_classes, cfg, splits),
        ('Neck', check_neck, cfg),
        ('Image scale', check_scales, cfg),
        ('Same size in a batch', check_batch_independence, cfg),
    ]
    if training:
        planned += [
            ('Anchors', check_anchors, cfg, annotations),
            ('Held-out data', check_held_out, cfg),
            ('Learning rate', check_learning_rate, cfg, processes),
            ('Schedule', check_schedule, cfg),
            ('Machine', check_machine, cfg, get_device()),
            ('Starting weights', check_weights, cfg, ask),
        ]
    return [check for plan in planned for check in attempt(*plan, broken=Status.WARN)]


def config_paths(node: Any, prefix: str = '') -> Iterator[str]:
    """Every dotted path of a nested config, list items by their index."""
    if isinstance(node, Mapping):
        items = list(node.items())
    elif isinstance(node, list | tuple):
        items = list(enumerate(node))
    else:
        return
    for key, value in items:
        path = f'{prefix}{key}'
        yield path
        yield from config_paths(value, f'{path}.')


def containers(node: Any) -> Iterator[Any]:
    """Every dict and list within a nested config, itself included."""
    if isinstance(node, Mapping | list | tuple):
        yield node
        for value in node.values() if isinstance(node, Mapping) else node:
            yield from containers(value)


def nearest_path(path: str, candidates: list[str]) -> str | None:
    """The candidate most like a dotted path; one that ends in the same name wins."""
    name = path.rpartition('.')[2]
    same_name = [candidate for candidate in candidates if candidate.rpartition('.')[2] == name]
    close = difflib.get_close_matches(path, same_name or candidates, n=1, cutoff=0.0)
    return close[0] if close else None


def check_options(cfg: Mapping, options: Mapping[str, Any]) -> list[Check]:
    """Find the ``--cfg-options`` that would change nothing.

    Args:
        cfg: the config before the options are merged into it.
        options: value per dotted path; a path that begins with ``+`` is meant to be new.

    Returns:
        One finding per path that the config does not have, or that nothing reads.
    """
    every = list(config_paths(cfg))
    read = [path for path in every if path.partition('.')[0] in READ_KEYS]
    findings = []
    for path, value in options.items():
        if path.startswith('+') or path in read:
            continue
        if path in every:
            findings.append(
                Check(
                    f'--cfg-options {path}={value} would change nothing.',
                    Status.FAIL,
                    f'{path.partition(".")[0]} is only a name inside the config file, used up '
                    'when it was loaded',
                    'a path that is read when the run starts',
                    f'use {nearest_path(path, read)}={value}',
                )
            )
        else:
            findings.append(
                Check(
                    f'--cfg-options {path}={value} names a path that the config does not have.',
                    Status.FAIL,
                    path,
                    f'for example {nearest_path(path, read)}, the nearest that exists',
                    f'correct it, or write +{path}={value} to add it on purpose',
                )
            )
    return findings


def unread_keys(keys: Mapping, text: str) -> tuple[list[Check], list[str]]:
    """Look for top-level config keys that nothing reads.

    Args:
        keys: the loaded config.
        text: source of the config and of its bases. A name that the source uses, and not only
            assigns, was read there.

    Returns:
        The keys that resemble one that is read, most likely misspelt; and the names of the others.
    """
    values = [node for key in READ_KEYS & keys.keys() for node in containers(keys[key])]
    source = '\n'.join(line.partition('#')[0] for line in text.splitlines())
    suspicious, harmless = [], []
    for key in keys:
        uses = re.findall(rf'(?<![\w.]){key}\b(?!\s*=[^=])|_base_\.{key}\b', source)
        used_up = keys[key] in values  # a dumped config keeps the names its values came from
        if key in READ_KEYS or key in NAMES_OF_PARTS or uses or used_up:
            continue
        close = difflib.get_close_matches(key, READ_KEYS, n=1, cutoff=0.8)
        if close:
            suspicious.append(
                Check(
                    f'The config sets {key}, which nothing reads.',
                    Status.FAIL,
                    key,
                    f'{close[0]}, the nearest key that is read',
                    f'rename it to {close[0]}, or to something less like it',
                )
            )
        else:
            harmless.append(key)
    return suspicious, harmless


def check_data_is_there(cfg: Mapping) -> list[Check]:
    """Like :func:`missing_data` for all splits of a config; a training does without a test."""
    needed, tested = (
        {key: cfg[key] for key in keys if cfg.get(key)}
        for keys in (('train_dataloader', 'val_dataloader'), ('test_dataloader',))
    )
    missing = missing_data(needed)
    if missing:
        return missing
    found = [replace(check, status=Status.WARN) for check in missing_data(tested)]
    datasets = annotated_datasets([loader['dataset'] for loader in tested.values()])
    unlabelled = [str(s.ann_file) for s in map(split_of, datasets) if not s.ann_file.exists()]
    if unlabelled and not found:
        found = [Check('Test labels', Status.OK, f'none at {", ".join(unlabelled)}: predicts only')]
    return found


def missing_data(dataloaders: Mapping[str, Mapping]) -> list[Check]:
    """Find annotation files and image folders that are not there.

    Test images need no annotations: a grader may keep them.

    Args:
        dataloaders: dataloader config per name, e.g. ``{'train_dataloader': ...}``.
    """
    missing: dict[Path, list[str]] = {}
    for name, dataloader in dataloaders.items():
        for dataset in annotated_datasets(dataloader['dataset']):
            split = split_of(dataset)
            labels = [] if name == 'test_dataloader' else [split.ann_file]
            for path in (*labels, split.image_dir):
                if not path.exists():
                    missing.setdefault(path, []).append(name)
    if not missing:
        return []
    prepare = tool_command('prepare_data')
    return [
        Check(
            'The data set is not there.',
            Status.FAIL,
            'nothing at '
            + ', '.join(f'{path} ({", ".join(names)})' for path, names in missing.items()),
            'train.json and valid.json beside the folders train/, valid/ and test/',
            f'draw one:             {prepare} synthetic\n'
            f'       or link one you have: {prepare} link FOLDER\n'
            '       or say where it is:   --data-root FOLDER',
        )
    ]
