"""Checks on a loaded config that find a mistake before the first iteration.

Each check is a pure function that returns findings; the tools decide what to do with them.
"""

import difflib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

#: Top-level keys that the runner or the tools of this project read.
READ_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    'auto_scale_lr',
    'custom_imports',
    'runner_type',
    'tta_model',
    'tta_pipeline',
}


@dataclass(frozen=True)
class Finding:
    """Something wrong, said so that it can be put right."""

    what: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return (
            f'{self.what}\n  found:    {self.found}\n  expected: {self.expected}\n  fix: {self.fix}'
        )


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


def check_options(cfg: Mapping, options: Mapping[str, Any]) -> list[Finding]:
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
                Finding(
                    f'--cfg-options {path}={value} would change nothing.',
                    f'{path.partition(".")[0]} is only a name inside the config file, used up '
                    'when it was loaded',
                    'a path that is read when the run starts',
                    f'use {nearest_path(path, read)}={value}',
                )
            )
        else:
            findings.append(
                Finding(
                    f'--cfg-options {path}={value} names a path that the config does not have.',
                    path,
                    f'for example {nearest_path(path, read)}, the nearest that exists',
                    f'correct it, or write +{path}={value} to add it on purpose',
                )
            )
    return findings


def unread_keys(keys: Mapping, text: str) -> tuple[list[Finding], list[str]]:
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
        if key in READ_KEYS or uses or used_up:
            continue
        close = difflib.get_close_matches(key, READ_KEYS, n=1, cutoff=0.8)
        if close:
            suspicious.append(
                Finding(
                    f'The config sets {key}, which nothing reads.',
                    key,
                    f'{close[0]}, the nearest key that is read',
                    f'rename it to {close[0]}, or to something less like it',
                )
            )
        else:
            harmless.append(key)
    return suspicious, harmless


def check_data(dataloaders: Mapping[str, Mapping]) -> list[Finding]:
    """Find annotation files and image folders that are not there.

    Args:
        dataloaders: dataloader config per name, e.g. ``{'train_dataloader': ...}``.
    """
    missing: dict[Path, list[str]] = {}
    for name, dataloader in dataloaders.items():
        dataset = dataloader['dataset']
        while 'dataset' in dataset:  # wrappers such as RepeatDataset
            dataset = dataset['dataset']
        root = Path(dataset.get('data_root') or '')
        for part in (dataset['ann_file'], dataset['data_prefix']['img']):
            if not (root / part).exists():
                missing.setdefault(root / part, []).append(name)
    if not missing:
        return []
    return [
        Finding(
            'The data set is not there.',
            'nothing at '
            + ', '.join(f'{path} ({", ".join(names)})' for path, names in missing.items()),
            'train.json, valid.json and test.json beside the folders train/, valid/ and test/',
            'draw one:             python tools/prepare_data.py synthetic\n'
            '       or link one you have: python tools/prepare_data.py link FOLDER\n'
            '       or say where it is:   --data-root FOLDER',
        )
    ]
