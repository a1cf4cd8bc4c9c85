"""Where the data of a config is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet_digits.checks.data import Split
from mmdet_digits.checks.data.structure import read_annotation_file
from mmdet_digits.checks.finding import Check, Status

#: The splits, as the keys of the config name them.
SPLITS = ('train', 'val', 'test')


def annotated_datasets(node: Any) -> Iterator[Mapping]:
    """The data sets with an annotation file within a data set's config, wrappers looked into."""
    if isinstance(node, Mapping):
        if 'ann_file' in node:
            yield node
        for key in ('dataset', 'datasets'):
            yield from annotated_datasets(node.get(key))
    elif isinstance(node, list | tuple):
        for member in node:
            yield from annotated_datasets(member)


def pad_size_divisor(cfg: Mapping) -> int:
    """What the sides of a batch are padded to multiples of."""
    return cfg['model'].get('data_preprocessor', {}).get('pad_size_divisor', 1)


def split_of(dataset: Mapping) -> Split:
    """Where the annotation file and the images of a data set's config are."""
    root = Path(dataset.get('data_root') or '')
    return Split(
        root / dataset['ann_file'],
        root / (dataset.get('data_prefix') or {}).get('img', ''),
        ignore_classes=tuple(dataset.get('ignore_classes') or ()),
    )


def coco_splits(cfg: Mapping, names: Sequence[str] = SPLITS) -> dict[str, Split]:
    """The COCO files that a config reads, each once.

    Args:
        cfg: a config.
        names: of :data:`SPLITS`, those to look at.

    Returns:
        Where each is, by split; further data sets of one split are ``'train 2'``, ...
    """
    found = {}
    for name in names:
        loader = cfg.get(f'{name}_dataloader') or {}
        for number, dataset in enumerate(annotated_datasets(loader.get('dataset')), start=1):
            split = replace(split_of(dataset), images_only=name == 'test')
            if split.ann_file.suffix in ('.json', '.gz') and split not in found.values():
                found[name if number == 1 else f'{name} {number}'] = split
    return found


def read_splits(splits: Mapping[str, Split]) -> tuple[dict[str, Split], list[Check]]:
    """Parse the annotation files once for all checks.

    Returns:
        The splits with the content of their files; and what is odd about files that could be read.
        Those that could not stay as they are: :func:`check_dataset` says why.
    """
    read, odd = {}, []
    for name, split in splits.items():
        coco, check = read_annotation_file(split.ann_file)
        read[name] = replace(split, coco=coco)
        if coco is not None and check.status is not Status.OK:
            odd.append(replace(check, name=f'{name}: {check.name}'))
    return read, odd
