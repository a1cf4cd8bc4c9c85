"""Start mmdet's Faster R-CNN from the weights of torchvision's.

Both are the same network under different names, with three differences in the last layers:

- torchvision's class 0 is background, mmdet's background is the last class;
- torchvision also regresses boxes for the background, mmdet does not;
- labels: torchvision's class ``c`` becomes mmdet's ``c - 1``. With the digits' category ids 1..10
  as torchvision classes, digit ``d`` is label ``d``.

Both flatten RoI features as (C, H, W), so the fully connected layers stay as they are.

torchvision runs the v1 COCO weights with ``eps=0`` in their frozen batch norm (``overwrite_eps``),
which torch's own batch norm refuses: for parity with them give mmdet's backbone
``norm_cfg=dict(eps=1e-12)``. v2 has a batch norm with the usual ``eps``.
"""

import io
import logging
import re
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor
from torchvision.models import get_model_builder, get_model_weights

from mmdet_digits.checkpoints.matching import check_network
from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.durable_files import write_durably
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_outputs
from mmdet_digits.repository import tool_command

#: The architectures, each with a key that the other one does not have.
ARCHS = {
    'fasterrcnn_resnet50_fpn': 'roi_heads.box_head.fc6.weight',
    'fasterrcnn_resnet50_fpn_v2': 'roi_heads.box_head.5.weight',
}
SCHEME = 'torchvision-detection://'
COCO_OUTPUTS = 91  # background and category ids 1..90, some of them unused

PREDICTOR = 'roi_heads.box_predictor.'
CLASS_SCORE = f'{PREDICTOR}cls_score.'
BOX_DELTA = f'{PREDICTOR}bbox_pred.'

# Files from before torchvision 0.13, the v1 COCO weights among them, name single convs directly.
_OLD_NAMES = (
    (r'(backbone\.fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)', r'\1.0.\2'),
    (r'rpn\.head\.conv\.(weight|bias)', r'rpn.head.conv.0.0.\1'),
)
_BBOX_HEAD = 'roi_head.bbox_head'
_COMMON_NAMES = (
    (r'backbone\.body\.(.+)', r'backbone.\1'),
    (r'backbone\.fpn\.inner_blocks\.(\d)\.0\.(.+)', r'neck.lateral_convs.\1.conv.\2'),
    (r'backbone\.fpn\.inner_blocks\.(\d)\.1\.(.+)', r'neck.lateral_convs.\1.bn.\2'),
    (r'backbone\.fpn\.layer_blocks\.(\d)\.0\.(.+)', r'neck.fpn_convs.\1.conv.\2'),
    (r'backbone\.fpn\.layer_blocks\.(\d)\.1\.(.+)', r'neck.fpn_convs.\1.bn.\2'),
    (r'rpn\.head\.cls_logits\.(.+)', r'rpn_head.rpn_cls.\1'),
    (r'rpn\.head\.bbox_pred\.(.+)', r'rpn_head.rpn_reg.\1'),
    (r'roi_heads\.box_predictor\.cls_score\.(.+)', rf'{_BBOX_HEAD}.fc_cls.\1'),
    (r'roi_heads\.box_predictor\.bbox_pred\.(.+)', rf'{_BBOX_HEAD}.fc_reg.\1'),
)
_NAMES = {
    'fasterrcnn_resnet50_fpn': (
        *_COMMON_NAMES,
        (r'rpn\.head\.conv\.0\.0\.(.+)', r'rpn_head.rpn_conv.\1'),
        (r'roi_heads\.box_head\.fc6\.(.+)', rf'{_BBOX_HEAD}.shared_fcs.0.\1'),
        (r'roi_heads\.box_head\.fc7\.(.+)', rf'{_BBOX_HEAD}.shared_fcs.1.\1'),
    ),
    'fasterrcnn_resnet50_fpn_v2': (
        *_COMMON_NAMES,
        (r'rpn\.head\.conv\.(\d)\.0\.(.+)', r'rpn_head.rpn_conv.\1.conv.\2'),
        (r'roi_heads\.box_head\.([0-3])\.0\.(.+)', rf'{_BBOX_HEAD}.shared_convs.\1.conv.\2'),
        (r'roi_heads\.box_head\.([0-3])\.1\.(.+)', rf'{_BBOX_HEAD}.shared_convs.\1.bn.\2'),
        (r'roi_heads\.box_head\.5\.(.+)', rf'{_BBOX_HEAD}.shared_fcs.0.\1'),
    ),
}


def convert_state_dict(
    state_dict: dict[str, Tensor], arch: str, num_classes: int = len(DIGITS)
) -> dict[str, Tensor]:
    """Rename torchvision's weights to mmdet's and reorder the box predictor.

    Args:
        state_dict: weights of a torchvision Faster R-CNN, under the names of any release.
        arch: one of :data:`ARCHS`.
        num_classes: classes of mmdet's box head, without background. COCO's box predictor is
            dropped, with a message, where it has another number of classes.

    Returns:
        The weights under mmdet's names: all of them, or all but ``fc_cls`` and ``fc_reg``.

    Raises:
        InputError: a key is missing, unknown or of another shape than ``arch`` has it, or the box
            predictor is neither COCO's nor one of ``num_classes`` classes.
    """
    weights = {_rename(key, _OLD_NAMES) or key: value for key, value in state_dict.items()}
    weights = _checked(weights, arch)
    num_outputs = len(weights[f'{CLASS_SCORE}weight'])
    if num_outputs == num_classes + 1:
        weights.update({key: _background_last(key, weights[key]) for key in _predictor(weights)})
    elif num_outputs == COCO_OUTPUTS:
        print_log(
            f'The COCO box predictor ({COCO_OUTPUTS} outputs) is dropped: the model has '
            f'{num_classes} classes, its fc_cls and fc_reg keep their initialisation.',
            logger='current',
            level=logging.WARNING,
        )
        weights = {key: weights[key] for key in weights.keys() - _predictor(weights)}
    else:
        raise InputError(
            'a box predictor of other classes.',
            f'{num_outputs} outputs',
            f'{num_classes + 1} (background and {num_classes} classes) or {COCO_OUTPUTS} (COCO)',
            f'--num-classes {num_outputs - 1}',
        )
    return {_rename(key, _NAMES[arch]): value for key, value in sorted(weights.items())}


def _rename(key: str, names: tuple[tuple[str, str], ...]) -> str | None:
    """Return the new name of ``key`` by the first pattern that matches all of it, if any."""
    for pattern, name in names:
        if match := re.fullmatch(pattern, key):
            return match.expand(name)
    return None


def _predictor(weights: dict[str, Tensor]) -> set[str]:
    return {key for key in weights if key.startswith(PREDICTOR)}


def _background_last(key: str, value: Tensor) -> Tensor:
    """Move the background's row of the class scores to the end, drop its four box deltas."""
    if key.startswith(BOX_DELTA):
        return value[4:].clone()
    return torch.cat([value[1:], value[:1]])


def _checked(weights: dict[str, Tensor], arch: str) -> dict[str, Tensor]:
    """Return ``weights`` with exactly the keys and shapes that torchvision's ``arch`` has.

    A frozen batch norm counts no batches; its counters are added as 0.
    """
    for other, key in ARCHS.items():
        if other != arch and key in weights and ARCHS[arch] not in weights:
            raise InputError(
                f'weights of {other}, not of {arch}.', key, ARCHS[arch], f'--arch {other}'
            )
    head = weights.get(f'{CLASS_SCORE}weight', torch.empty(COCO_OUTPUTS))
    expected = _torchvision_state(arch, num_outputs=len(head))
    counters = {key: torch.tensor(0) for key in expected if key.endswith('num_batches_tracked')}
    weights = {**counters, **weights}
    check_network(weights, expected, f"torchvision's {arch}")
    return weights


def _torchvision_state(arch: str, num_outputs: int) -> dict[str, Tensor]:
    """Return the state of a torchvision model, without allocating it."""
    with torch.device('meta'):
        model = get_model_builder(arch)(
            weights=None, weights_backbone=None, num_classes=num_outputs
        )
    return model.state_dict()


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the weights of a file, alone or under ``model`` or ``model_state_dict``.

    Raises:
        InputError: there is no such file, it cannot be read safely, or it holds no weights.
    """
    checkpoint = read_checkpoint(path)
    for key in ('model', 'model_state_dict'):
        if isinstance(checkpoint.get(key), dict):
            checkpoint = checkpoint[key]
    if not all(isinstance(value, Tensor) for value in checkpoint.values()):
        found = ', '.join(map(str, checkpoint))
        raise InputError(
            f'{path}: holds no weights.',
            found,
            "a dict of tensors, alone or under 'model' or 'model_state_dict'",
            'give a file that torchvision wrote; checkpoints of this project need no conversion',
        )
    return checkpoint


def convert_file(
    src: Path, dst: Path, arch: str, num_classes: int = len(DIGITS), overwrite: bool = False
) -> dict:
    """Convert a file of torchvision weights to a checkpoint of MMEngine.

    Args:
        src: torchvision's ``.pth``: a state dict, or a training checkpoint that holds one.
        dst: where to write ``dict(state_dict=..., meta=...)``.
        arch: one of :data:`ARCHS`.
        num_classes: classes of mmdet's box head, without background.
        overwrite: replace ``dst`` if it exists.

    Returns:
        The checkpoint as written.

    Raises:
        InputError: ``src`` cannot be read or is not of ``arch``, or ``dst`` exists.
    """
    check_outputs([dst], overwrite, inputs=[src])
    state_dict = read_state_dict(src)
    try:
        state_dict = convert_state_dict(state_dict, arch, num_classes)
    except InputError as error:
        raise InputError(f'{src}: {error}') from error
    checkpoint = _as_checkpoint(state_dict, source=src.name, arch=arch)
    data = io.BytesIO()
    torch.save(checkpoint, data)
    write_durably(dst, data.getvalue())
    return checkpoint


def _as_checkpoint(state_dict: dict[str, Tensor], source: str, arch: str) -> dict:
    meta = {'source': source, 'arch': arch}
    if len(state_dict.get(f'{_BBOX_HEAD}.fc_cls.weight', ())) == len(DIGITS) + 1:
        meta['dataset_meta'] = {'classes': DIGITS}
    return {'state_dict': state_dict, 'meta': meta}


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_torchvision_detection(filename: str, map_location: str | None = None) -> dict:
    """Load torchvision's COCO weights, converted: ``torchvision-detection://ARCH``.

    The file comes from torch.hub's cache (``$TORCH_HOME/hub/checkpoints``), or is downloaded there
    and checked against the hash in its name. The COCO box predictor is dropped.

    Args:
        filename: the scheme and one of :data:`ARCHS`.
        map_location: not used; the tensors are on the CPU.

    Raises:
        InputError: the architecture is unknown, or the file is neither cached nor within reach.
    """
    arch = filename.removeprefix(SCHEME)
    if arch not in ARCHS:
        raise InputError(
            f'{filename}: unknown architecture.', arch, ' or '.join(ARCHS), 'correct the name'
        )
    weights = get_model_weights(arch).DEFAULT
    cached = Path(torch.hub.get_dir(), 'checkpoints', Path(weights.url).name)
    if not cached.exists():
        try:
            weights.get_state_dict(check_hash=True, weights_only=True)
        except OSError as error:
            raise InputError(
                f'{filename}: cannot fetch {weights.url}.',
                str(error),
                f'a connection, or the file in the cache as {cached}',
                'download that URL on a connected machine and copy the file there, or convert it '
                f'({tool_command("model_converters/torchvision2mmdet")} {cached.name} OUT.pth '
                f'--arch {arch}) and set load_from to OUT.pth',
            ) from error
    state_dict = convert_state_dict(read_state_dict(cached), arch)
    return _as_checkpoint(state_dict, source=weights.url, arch=arch)
