"""Whether mixed precision computes what single precision does, in one forward pass of a model.

mmdet and torch are imported inside the functions: the operators have to come first.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from mmdet_digits.utils.checks import Check, Status
from mmdet_digits.utils.silence import silence

#: Largest difference of a class score that is taken for rounding, in steps of the dtype between 1
#: and 2. Measured with bfloat16 over four seeds: 3 to 13 for this project's configs.
BOUND_STEPS = 20
NUM_ROIS = 32
#: Standard deviation that the class logits are brought to: random ones are all alike, and so
#: would be the scores.
LOGIT_SPREAD = 3.0


def check_amp(cfg: Mapping) -> Check:
    """Compare the class scores of a model with random weights in float32 and under autocast.

    Args:
        cfg: a config with ``model``, ``optim_wrapper`` and ``test_dataloader``.
    """
    import torch
    from mmengine.device import get_device

    from mmdet_digits.engine.portable_amp_optim_wrapper import autocast_dtype

    if 'roi_head' not in cfg['model']:
        return Check('Mixed precision', Status.OK, 'not compared: the model has no roi_head')
    device = get_device()
    dtype = autocast_dtype(device, cfg.get('optim_wrapper', {}).get('dtype'))
    if dtype is torch.float32:
        return Check('Mixed precision', Status.OK, f'not compared: full precision on this {device}')
    difference, bound = score_difference(cfg, device, dtype), BOUND_STEPS * torch.finfo(dtype).eps
    found = (
        f'class scores differ by up to {difference:.3f} between float32 and '
        f'{str(dtype).removeprefix("torch.")} on {device}'
    )
    if difference <= bound:  # not so for NaN
        return Check('Mixed precision', Status.OK, f'{found} (bound {bound:.2f})')
    return Check(
        'Mixed precision computes other scores.',
        Status.WARN,
        found,
        f'at most {bound:.2f}, for random weights',
        'a bbox_roi_extractor of type Float32RoIExtractor, which rounds no coordinates; or train '
        'without --amp, with an optim_wrapper of type OptimWrapper, without loss_scale and dtype',
    )


def score_difference(cfg: Mapping, device: str, dtype) -> float:
    """The largest difference of a class score, float32 against autocast; NaN if one is NaN.

    Args:
        cfg: a config with ``model`` and ``test_dataloader``.
        device: where to compute.
        dtype: of autocast.
    """
    import torch

    torch.manual_seed(0)
    model = build_model(cfg).to(device)
    images, rois = random_input(cfg, device)
    inputs = model.data_preprocessor(dict(inputs=images, data_samples=None), False)['inputs']

    forward, classifier = first_stage(model.roi_head)

    def logits() -> torch.Tensor:
        return forward(model.extract_feat(inputs), rois)['cls_score'].float()

    with torch.no_grad():
        with batch_statistics(model):
            logits()
        classifier.weight *= LOGIT_SPREAD / logits().std()
        exact = logits().softmax(dim=1)
        with torch.autocast(device, dtype):
            rounded = logits().softmax(dim=1)
    return float((exact - rounded).abs().max())


def first_stage(roi_head):
    """How a RoI head, or the first stage of a cascade, computes RoIs; and its classifier."""
    from mmdet.models.roi_heads import CascadeRoIHead

    if isinstance(roi_head, CascadeRoIHead):
        return partial(roi_head._bbox_forward, 0), roi_head.bbox_head[0].fc_cls
    return roi_head._bbox_forward, roi_head.bbox_head.fc_cls


def build_model(cfg: Mapping):
    """The model of a config in eval mode, with random weights."""
    from mmdet.registry import MODELS
    from mmengine.config import ConfigDict
    from mmengine.registry import DefaultScope

    model = ConfigDict(cfg['model'])
    model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmdet'), silence():
        model = MODELS.build(model)
        model.init_weights()
    return model.eval()


def random_input(cfg: Mapping, device: str):
    """Two images (3, H, W) of blurred noise in the test scale, and RoIs (N, 5) within them."""
    import torch
    from mmdet.structures.bbox import bbox2roi

    pipeline = cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline', [])
    scale = next((step['scale'] for step in pipeline if 'Resize' in step['type']), (320, 160))
    width, height = scale
    noise = torch.rand(2, 3, 8, 8) * 255
    images = torch.nn.functional.interpolate(noise, (height, width), mode='bilinear')
    size = torch.tensor([width, height])
    corner = torch.rand(2, NUM_ROIS, 2) * size * 0.7
    rois = torch.cat([corner, corner + (0.05 + 0.25 * torch.rand(2, NUM_ROIS, 2)) * size], dim=2)
    return list(images.to(device)), bbox2roi(list(rois.to(device)))


@contextmanager
def batch_statistics(model) -> Iterator[None]:
    """Let the batch norm layers take their statistics from what passes.

    Without any, activations grow from block to block until they overflow.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain average
        layer.train()
    yield
    model.eval()
