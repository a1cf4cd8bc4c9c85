"""Whether the metric that a run is steered by is one that its evaluators make.

``save_best`` is only looked up after the first epoch, and ends the training where it is missing.
"""

import difflib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmdet_digits.utils.checks import Check, Status, first_ten
from mmdet_digits.utils.config_checks import class_names
from mmdet_digits.utils.silence import silence

#: What ``ValLossLoop`` adds to the metrics; which of the losses there are depends on the model.
VAL_LOSSES = re.compile(r'val/(\w*loss\w*|acc)')
#: Images of 1 to 6 digits, since ``NumberMetric`` reports each length there is.
MOST_DIGITS = 6


def check_monitored_keys(cfg: Mapping) -> list[Check]:
    """Check that the evaluators make every key that a hook waits for.

    Args:
        cfg: a config with ``val_evaluator`` and hooks.
    """
    monitored = dict(monitored_keys(cfg))
    if not monitored or not cfg.get('val_evaluator'):
        return [Check('save_best', Status.OK, 'no hook waits for a metric')]
    made, unknown = made_keys(cfg)
    val_loop = (cfg.get('val_cfg') or {}).get('type')
    wrong = [
        _not_made(path, key, made)
        for path, key in monitored.items()
        if key not in made
        and key.partition('/')[0] not in unknown
        and not (val_loop == 'ValLossLoop' and VAL_LOSSES.fullmatch(key))
    ]
    return wrong or [Check('save_best', Status.OK, ', '.join(monitored.values()))]


def monitored_keys(cfg: Mapping) -> Iterator[tuple[str, str]]:
    """Path and value of each metric key that a hook of a config waits for."""
    hooks = {
        f'default_hooks.{name}': hook for name, hook in (cfg.get('default_hooks') or {}).items()
    }
    hooks |= {f'custom_hooks.{n}': hook for n, hook in enumerate(cfg.get('custom_hooks') or ())}
    for path, hook in hooks.items():
        for name in ('save_best', 'monitor') if isinstance(hook, Mapping) else ():
            keys = hook.get(name) or ()
            for key in [keys] if isinstance(keys, str) else keys:
                if key != 'auto':
                    yield f'{path}.{name}', key


def made_keys(cfg: Mapping) -> tuple[set[str], set[str]]:
    """The keys that the validation metrics of a config make, by evaluating a few made-up images.

    Args:
        cfg: a config with ``val_evaluator``.

    Returns:
        The keys; and the prefixes of the metrics that could not be run this way.
    """
    from mmdet.registry import METRICS

    evaluators = cfg['val_evaluator']
    if isinstance(evaluators, Mapping):
        evaluators = evaluators.get('metrics') or [evaluators]
    classes = class_names(cfg)
    made, unknown = set(), set()
    with tempfile.TemporaryDirectory() as folder:
        ann_file = Path(folder, 'ann.json')
        ann_file.write_text(json.dumps(made_up_coco(classes)), encoding='utf-8')
        for evaluator in evaluators:
            # what a metric writes must not go where the run will write it
            paths = {
                key: str(Path(folder, 'out.pkl')) for key in evaluator if key.startswith('out')
            }
            paths |= {'ann_file': str(ann_file)} if 'ann_file' in evaluator else {}
            try:
                with silence():
                    metric = METRICS.build({**evaluator, **paths})
                    metric.dataset_meta = dict(classes=classes)
                    metric.process({}, made_up_samples(len(classes)))
                    made |= metric.evaluate(MOST_DIGITS).keys()
            except Exception:  # a metric of any kind, which may need what is not here
                default = getattr(METRICS.get(evaluator['type']), 'default_prefix', None)
                unknown.add(evaluator.get('prefix') or default or '')
    return made, unknown


def made_up_samples(num_classes: int) -> list[dict]:
    """Samples with 1 to 6 boxes in a row, each detected as it is."""
    import torch

    samples = []
    for count in range(1, MOST_DIGITS + 1):
        left = torch.arange(count, dtype=torch.float32) * 20
        bboxes = torch.stack([left, left * 0, left + 10, left * 0 + 20], dim=1)
        boxes = dict(bboxes=bboxes, labels=torch.arange(count) % num_classes)
        samples.append(
            dict(
                img_id=count,
                ori_shape=(100, 200),
                gt_instances=boxes,
                pred_instances=dict(boxes, scores=torch.full((count,), 0.9)),
            )
        )
    return samples


def made_up_coco(classes: Sequence[str]) -> dict:
    """The annotation file of :func:`made_up_samples`."""
    samples = made_up_samples(len(classes))
    boxes = [
        (sample['img_id'], label + 1, x1, y1, x2 - x1, y2 - y1)
        for sample in samples
        for label, (x1, y1, x2, y2) in zip(
            sample['gt_instances']['labels'].tolist(),
            sample['gt_instances']['bboxes'].tolist(),
            strict=True,
        )
    ]
    return dict(
        images=[
            dict(id=n, file_name=f'{n}.png', height=100, width=200)
            for n in (sample['img_id'] for sample in samples)
        ],
        categories=[dict(id=n, name=name) for n, name in enumerate(classes, start=1)],
        annotations=[
            dict(id=n, image_id=image, category_id=label, bbox=bbox, area=200.0, iscrowd=0)
            for n, (image, label, *bbox) in enumerate(boxes, start=1)
        ],
    )


def _not_made(path: str, key: str, made: set[str]) -> Check:
    near = next(iter(difflib.get_close_matches(key, made, n=1, cutoff=0.0)), 'auto')
    return Check(
        'No metric makes the key that a hook waits for.',
        Status.FAIL,
        f'{path}={key}',
        f'{near}, the nearest of {first_ten(sorted(made))}',
        f'--cfg-options {path}={near}, or add the metric to val_evaluator',
    )
