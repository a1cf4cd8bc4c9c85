"""Whether the parts of a config fit each other and the data.

Each check takes a loaded config and answers with one finding. mmdet is imported inside them: the
operators have to come first, see :mod:`mmdet_digits.register`.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmdet_digits.checks.config_data import SPLITS, annotated_datasets, split_of
from mmdet_digits.checks.data import Split
from mmdet_digits.checks.finding import Check, Status, first_ten
from mmdet_digits.checks.keys import READ_KEYS, typed_dicts
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.errors import InputError

#: Parts of a model that have an output for each class.
HEADS = ('bbox_head', 'mask_head')


#: Type that needs a package which does not come along -> that package, as it is imported.
PACKAGES = {
    'Albu': 'albumentations',
    'TimmBackbone': 'timm',
    'WandbVisBackend': 'wandb',
    'MLflowVisBackend': 'mlflow',
    'ClearMLVisBackend': 'clearml',
    'NeptuneVisBackend': 'neptune',
    'DVCLiveVisBackend': 'dvclive',
    'AimVisBackend': 'aim',
}


def check_packages(cfg: Mapping) -> list[Check]:
    """Find what is built from packages that are not installed, much of it late in a run."""
    missing = {
        path: PACKAGES[node['type']]
        for path, node in typed_dicts({key: cfg[key] for key in READ_KEYS & cfg.keys()})
        if node['type'] in PACKAGES and find_spec(PACKAGES[node['type']]) is None
    }
    if not missing:
        return [Check('Packages', Status.OK, 'those that the config needs are installed')]
    names = sorted(set(missing.values()))
    return [
        Check(
            'The config needs packages that are not installed.',
            Status.FAIL,
            ', '.join(f'{path}.type needs {name}' for path, name in missing.items()),
            ', '.join(names),
            f'pip install {" ".join(names)}, or take these parts out of the config',
        )
    ]


def check_classes(cfg: Mapping, splits: Mapping[str, Split]) -> Check:
    """Compare the classes of heads, data set and annotation files.

    Args:
        cfg: a config.
        splits: parsed annotation files, by split.
    """
    classes = class_names(cfg)
    if not classes:
        return Check('Classes', Status.WARN, 'not compared: no data set names its classes')
    wrong = [
        f'{path}={number}'
        for path, number in class_counts(cfg.get('model'))
        if number != len(classes)
    ]
    if wrong:
        return Check(
            'num_classes is not the number of classes.',
            Status.FAIL,
            f'{", ".join(wrong)}, for the classes {first_ten(classes)}',
            f'{len(classes)}; the background is not counted',
            f'--cfg-options {wrong[0].partition("=")[0]}={len(classes)}',
        )
    for split in splits.values():
        names = category_names(split.coco)
        lacking = [name for name in classes if name not in names]
        if names and lacking and set(classes) != set(DIGITS):  # of digits, the data checks tell
            return Check(
                'An annotation file lacks classes of the data set.',
                Status.FAIL,
                f'{split.ann_file}: no category is named {", ".join(lacking)}',
                f'categories named {", ".join(classes)}',
                'rename the categories, or set metainfo.classes of the data set',
            )
    return Check('Classes', Status.OK, first_ten(classes))


def class_names(cfg: Mapping) -> list[str]:
    """The classes of the first data set that names any."""
    from mmdet.registry import DATASETS

    for name in SPLITS:
        for dataset in annotated_datasets((cfg.get(f'{name}_dataloader') or {}).get('dataset')):
            defined = getattr(DATASETS.get(dataset['type']), 'METAINFO', {})
            classes = {**defined, **(dataset.get('metainfo') or {})}.get('classes')
            if isinstance(classes, list | tuple):
                return list(classes)
    return []


def class_counts(
    node: Any, path: str = 'model', in_head: bool = False
) -> Iterator[tuple[str, int]]:
    """Every ``num_classes`` within a box or mask head, with its path."""
    if isinstance(node, Mapping):
        items = node.items()
    else:
        items = enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in items:
        if key == 'num_classes' and in_head:
            yield f'{path}.{key}', value
        yield from class_counts(value, f'{path}.{key}', in_head or key in HEADS)


def category_names(coco: Any) -> list[str]:
    """The names of the categories in a COCO file; none where it has no such list."""
    try:
        return [category['name'] for category in coco['categories']]
    except (KeyError, TypeError):
        return []


def total_batch(cfg: Mapping, processes: int = 1) -> int:
    """Images per step of the optimizer.

    Args:
        cfg: a config.
        processes: number of processes, each with a batch of its own.
    """
    accumulated = cfg['optim_wrapper'].get('accumulative_counts', 1)
    return cfg['train_dataloader']['batch_size'] * processes * accumulated


def scale_learning_rate(cfg: Config, processes: int = 1) -> None:
    """Scale the learning rate with the batch where ``auto_scale_lr.enable`` asks for it.

    MMEngine would do so later, without ``accumulative_counts``. Afterwards the config says what is
    trained with: the rate, and the batch that it goes with.

    Args:
        cfg: changed in place.
        processes: number of processes, each with a batch of its own.

    Raises:
        InputError: the config does not say which batch its rate was chosen for.
    """
    scaling = cfg.get('auto_scale_lr') or {}
    if not scaling.get('enable'):
        return
    base, optimizer = scaling.get('base_batch_size'), cfg.optim_wrapper.optimizer
    if not (base and optimizer.get('lr')):
        raise InputError(
            'The learning rate cannot be scaled.',
            f'auto_scale_lr.base_batch_size={base}, lr={optimizer.get("lr")}',
            'a rate in optim_wrapper.optimizer, and the batch that it was chosen for',
            'set both in the config, or leave --auto-scale-lr out',
        )
    total, rate = total_batch(cfg, processes), optimizer.lr
    optimizer.lr = rate * total / base
    cfg.auto_scale_lr = dict(enable=False, base_batch_size=total)
    print_log(
        f'Learning rate {optimizer.lr:.3g} for a batch of {total}: {rate} is for {base}.', 'current'
    )


def check_learning_rate(cfg: Mapping, processes: int = 1) -> Check:
    """Compare the learning rate with the batch by the linear rule (Goyal et al. 2017).

    Args:
        cfg: a config.
        processes: number of processes, each with a batch of its own.
    """
    scaling = cfg.get('auto_scale_lr') or {}
    base, wrapper = scaling.get('base_batch_size'), cfg.get('optim_wrapper') or {}
    rate, batch = wrapper.get('optimizer', {}).get('lr'), cfg['train_dataloader'].get('batch_size')
    if not (base and rate and batch):
        return Check('Learning rate', Status.OK, f'{rate}; no base_batch_size to compare with')
    total = total_batch(cfg, processes)
    scaled = rate * total / base
    shown = f'a batch of {total}'
    if total != batch:
        steps = total // (batch * processes)
        shown += f' ({batch} in {processes} processes, {steps} iterations per step)'
    if scaling.get('enable'):
        return Check(
            'Learning rate', Status.OK, f'{rate}, scaled from a batch of {base} to {shown}'
        )
    if total == base:
        return Check('Learning rate', Status.OK, f'{rate} at {shown}')
    return Check(
        'The learning rate does not go with the batch.',
        Status.WARN,
        f'{rate} at {shown}, chosen for a batch of {base}',
        f'{scaled:.3g} by the linear rule',
        f'--auto-scale-lr, or --cfg-options optim_wrapper.optimizer.lr={scaled:.3g} '
        f'auto_scale_lr.base_batch_size={total}',
    )


def check_machine(cfg: Mapping, device: str) -> Check:
    """Tell who trains a ResNet-50 on a CPU which config is made for that.

    Args:
        cfg: a config.
        device: what the training will run on, e.g. ``'cuda'``.
    """
    depth = (cfg['model'].get('backbone') or {}).get('depth')
    if device != 'cpu' or not isinstance(depth, int) or depth < 50:
        return Check('Machine', Status.OK, device)
    return Check(
        'The training will take hours or days.',
        Status.WARN,
        f'no GPU, and a backbone of depth {depth}',
        'a GPU, or a small model',
        'configs/digits/frcnn_tiny.py is made for machines without a GPU',
    )


def check_scales(cfg: Mapping) -> Check:
    """Check that validation and test see the images at a scale of the training."""
    trained = resize_scales(cfg.get('train_dataloader'))
    if not trained:
        return Check('Image scale', Status.OK, 'the training has no Resize to compare with')
    lowest, highest = (tuple(map(pick, zip(*trained, strict=True))) for pick in (min, max))
    shown = ' to '.join(dict.fromkeys(map(_sides, (lowest, highest))))
    for name in ('val', 'test'):
        for scale in resize_scales(cfg.get(f'{name}_dataloader')):
            if all(a <= b <= c for a, b, c in zip(lowest, scale, highest, strict=True)):
                continue
            return Check(
                'Images are tested at another scale than they are trained at.',
                Status.WARN,
                f'{name}_dataloader resizes to {_sides(scale)}, train_dataloader to {shown}',
                'the same scale: a detector knows the sizes that it was trained on',
                f'correct the scale of Resize in {name}_dataloader.dataset.pipeline',
            )
    return Check('Image scale', Status.OK, shown)


def check_batch_independence(cfg: Mapping) -> Check:
    """Check that images that are tested together are not padded to the size of one another."""
    title = 'Same size in a batch'
    for name in ('val', 'test'):
        loader = cfg.get(f'{name}_dataloader') or {}
        if loader.get('batch_size', 1) == 1:
            continue
        for owner, steps in pipelines(loader.get('dataset')):
            if not any(gives_one_size(step) for step in steps):
                return Check(
                    'What is found in an image depends on the others of its batch.',
                    Status.WARN,
                    f'{name}_dataloader: images of {owner} are padded to the largest of each batch',
                    'one size for all images, or batches of one',
                    f"dict(type='CanvasResize', scale=(width, height)) in its pipeline, or "
                    f'--cfg-options {name}_dataloader.batch_size=1',
                )
    return Check(title, Status.OK, 'yes')


def pipelines(dataset: Any) -> Iterator[tuple[str, Sequence[Mapping]]]:
    """The type and the pipeline of each data set that loads images, also of those inside others."""
    for _, node in typed_dicts(dataset):
        if node.get('pipeline'):
            yield node['type'], node['pipeline']


def gives_one_size(step: Mapping) -> bool:
    """Whether all images have one size after a step of a pipeline."""
    kind = str(step['type'])
    if kind.endswith('CanvasResize'):
        return True
    if kind.endswith('Pad'):
        return bool(step.get('size'))
    return kind.endswith('Resize') and bool(step.get('scale')) and not step.get('keep_ratio', False)


def resize_scales(loader: Any) -> list[tuple[float, float]]:
    """The scales (longer side, shorter side) that a data loader's pipeline resizes to."""
    found = []
    for _, step in typed_dicts((loader or {}).get('dataset')):
        if 'Resize' not in str(step['type']):
            continue
        scales = step.get('scales') or step.get('scale') or ()
        for scale in scales if _is_list_of_pairs(scales) else [scales]:
            if isinstance(scale, list | tuple) and len(scale) == 2:
                sides = sorted(scale, reverse=True)
                ratios = step.get('ratio_range', (1,))
                found += [tuple(side * ratio for side in sides) for ratio in ratios]
    return found


def _is_list_of_pairs(scales: Any) -> bool:
    return isinstance(scales, list | tuple) and all(isinstance(s, list | tuple) for s in scales)


def _sides(scale: Sequence[float]) -> str:
    return ' x '.join(f'{side:.0f}' for side in scale)


def check_held_out(cfg: Mapping) -> Check:
    """Check that validation and test do not read the annotations that are trained on."""
    files = {
        name: {
            split_of(dataset).ann_file
            for dataset in annotated_datasets((cfg.get(f'{name}_dataloader') or {}).get('dataset'))
        }
        for name in SPLITS
    }
    for name in ('val', 'test'):
        for path in files['train'] & files[name]:
            return Check(
                'The scores will be those of the training images.',
                Status.WARN,
                f'train_dataloader and {name}_dataloader both read {path}',
                'images that were not trained on',
                f'set {name}_dataloader.dataset.ann_file and the ann_file of its evaluator',
            )
    return Check('Held-out data', Status.OK, 'validation and test read other files than training')
