"""Keys of a config that the class they are meant for does not take.

MMEngine builds an object from every dict with a ``type``; the other keys are arguments of its
``__init__``. Most of them are built long after the start, the metrics only after the first epoch.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mmengine.registry import Registry
from mmengine.runner import Runner

from mmdet_digits.checks.finding import Check, Status

#: Top-level keys that the runner or the tools of this project read.
READ_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    'auto_scale_lr',
    'custom_imports',
    'runner_type',
    'tta_model',
    'tta_pipeline',
}
#: Keys that are taken out of a dict, or renamed, before the class gets the rest.
BUILDER_KEYS = {
    'type',
    '_scope_',
    *('num_batch_per_epoch', 'disable_subprocess_warning'),  # data loaders
    *('constructor', 'paramwise_cfg'),  # optimizer wrappers
    'convert_to_iter_based',  # schedulers
    'priority',  # hooks
    'override',  # initialisers
    'requires_grad',  # normalisation layers
    *('fallback_on_stride', 'deformable_groups'),  # deformable convolutions
    'scale_factor',  # upsampling of mask heads
    *('class_agnostic', 'split_thr'),  # NMS
    'bg_cls_weight',  # DETR's loss
}
#: What MMEngine builds from a dict without a ``type``.
DEFAULT_TYPES = {
    'train_dataloader': 'DataLoader',
    'val_dataloader': 'DataLoader',
    'test_dataloader': 'DataLoader',
    'optim_wrapper': 'OptimWrapper',
    'val_cfg': 'ValLoop',
    'test_cfg': 'TestLoop',
}
#: Its ``transforms`` are those of another library.
FOREIGN = 'Albu'


def check_keys(cfg: Mapping) -> list[Check]:
    """Find keys that the class they are for does not take, and types that no registry knows.

    Args:
        cfg: a config as plain dicts and lists.
    """
    classes = registered_classes()
    wrong = []
    for path, node in typed_dicts({key: cfg[key] for key in READ_KEYS & cfg.keys()}):
        targets = find_classes(node['type'], classes)
        if not targets:
            wrong += _unknown_type(path, node['type'], classes)
            continue
        accepted = [accepted_keys(target) for target in targets]
        if None not in accepted:
            known = set().union(*accepted)
            unknown = sorted(node.keys() - known - BUILDER_KEYS)
            wrong += [_unknown_key(path, node, key, known) for key in unknown]
    return wrong or [Check('Keys', Status.OK, 'every class takes the keys that it is given')]


def typed_dicts(node: Any, path: str = '') -> Iterator[tuple[str, Mapping]]:
    """Every dict of a config that an object is built from, with its dotted path."""
    if isinstance(node, Mapping):
        if 'type' not in node and path in DEFAULT_TYPES:
            node = {**node, 'type': DEFAULT_TYPES[path]}
        if 'type' in node:
            yield path, node
        if node.get('type') == FOREIGN:
            return
    elif not isinstance(node, list | tuple):
        return
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in items:
        yield from typed_dicts(value, f'{path}.{key}' if path else str(key))


def registered_classes() -> dict[str, list[Callable]]:
    """The classes and functions of each name, in mmdet's registries and those above them."""
    import mmdet_digits.register  # noqa: F401  (operators before mmdet)

    # isort: split
    import mmcv.ops
    import mmdet.registry
    from torch.utils.data import DataLoader

    classes: dict[str, list[Callable]] = {'DataLoader': [DataLoader]}
    for registry in vars(mmdet.registry).values():
        if not isinstance(registry, Registry):
            continue
        registry.import_from_location()
        for name, target in _visible(registry).items():
            classes.setdefault(name, []).append(target)
    for name, operator in vars(mmcv.ops).items():  # NMS and RoI layers are looked up there
        if callable(operator):
            classes.setdefault(name, [operator])
    return classes


def _visible(registry: Registry) -> dict[str, Callable]:
    """What a registry finds, in itself or else in its parents."""
    above = _visible(registry.parent) if registry.parent else {}
    return above | registry.module_dict


def find_classes(name: Any, classes: Mapping[str, list[Callable]]) -> list[Callable]:
    """What a ``type`` may stand for: usually one class, more where registries share a name."""
    if callable(name):
        return [name]
    return classes.get(str(name).removeprefix('mmdet.').removeprefix('mmengine.'), [])


def accepted_keys(target: Callable) -> set[str] | None:
    """The arguments that a class or function takes by name; None if it takes any.

    Where a class takes ``**kwargs`` too, they are taken to reach the classes it inherits from.
    """
    initialisers = (
        [vars(cls)['__init__'] for cls in target.__mro__[:-1] if '__init__' in vars(cls)]
        if inspect.isclass(target)
        else [target]
    )
    signatures = [inspect.signature(function).parameters.values() for function in initialisers]
    if signatures and not _takes_any(signatures[0]):
        signatures = signatures[:1]
    elif all(map(_takes_any, signatures)):
        return None
    return {
        parameter.name
        for parameters in signatures
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    } - {'self'}


def _takes_any(parameters: Iterable[inspect.Parameter]) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _unknown_key(path: str, node: Mapping, key: str, accepted: set[str]) -> Check:
    nearest = difflib.get_close_matches(key, accepted, n=1, cutoff=0.0)
    name = getattr(node['type'], '__name__', node['type'])
    return Check(
        f'{name} has no argument {key}.',
        Status.FAIL,
        f'{path}.{key}={node[key]!r}',
        f'for example {nearest[0]}, the nearest that it has' if nearest else 'no arguments',
        f'rename {path}.{key}, or take it out',
    )


def _unknown_type(path: str, name: Any, classes: Mapping) -> list[Check]:
    """Nothing for names of another scope, and for lower-case ones, which are modes, not classes."""
    if not re.fullmatch(r'[A-Z]\w*', str(name)):
        return []
    (nearest,) = difflib.get_close_matches(str(name), classes, n=1, cutoff=0.0)
    return [
        Check(
            f'No class is named {name}.',
            Status.FAIL,
            f'{path}.type={name!r}',
            f'{nearest}, the nearest that is registered',
            f'correct {path}.type, or name the module that defines {name} in custom_imports',
        )
    ]
