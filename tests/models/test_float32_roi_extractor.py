import pytest
import torch
from mmdet.registry import MODELS

STRIDES = [4, 8, 16, 32]


def rois_seen(kind, feature_dtype, rois):
    """The RoIs that reach the pooling layers, level by level, and the pooled features."""
    extractor = MODELS.build(
        dict(
            type=kind,
            roi_layer=dict(type='RoIAlign', output_size=7, use_torchvision=True),
            out_channels=8,
            featmap_strides=STRIDES,
        )
    )
    seen = []
    for layer in extractor.roi_layers:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    generator = torch.Generator().manual_seed(0)
    features = [
        torch.randn(2, 8, 800 // stride, 800 // stride, generator=generator) for stride in STRIDES
    ]
    with torch.autocast('cpu', torch.bfloat16, enabled=feature_dtype is torch.bfloat16):
        pooled = extractor([feature.to(feature_dtype) for feature in features], rois)
    return seen, pooled


@pytest.fixture
def rois():
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(200, 2, generator=generator) * 600
    size = torch.rand(200, 2, generator=generator) * 180 + 8
    image = torch.randint(2, (200, 1), generator=generator).float()
    return torch.cat([image, corner, corner + size], dim=1)


def shift(kind, rois):
    """Largest move of a RoI coordinate, in px, when the features become bfloat16."""
    full, _ = rois_seen(kind, torch.float32, rois)
    half, _ = rois_seen(kind, torch.bfloat16, rois)
    if [len(level) for level in full] != [len(level) for level in half]:
        return float('inf')  # RoIs went to another level of the pyramid
    return max((a - b.float()).abs().max().item() for a, b in zip(full, half, strict=True))


def test_mixed_precision_does_not_move_the_rois(rois):
    assert shift('Float32RoIExtractor', rois) <= 0.01


def test_the_stock_extractor_does_move_them(rois):
    assert shift('SingleRoIExtractor', rois) > 0.5


def test_float32_features_are_pooled_as_the_stock_extractor_does(rois):
    _, ours = rois_seen('Float32RoIExtractor', torch.float32, rois)
    _, stock = rois_seen('SingleRoIExtractor', torch.float32, rois)
    torch.testing.assert_close(ours, stock, rtol=1e-4, atol=1e-4)  # another order of adding


def test_no_rois_give_no_features():
    _, pooled = rois_seen('Float32RoIExtractor', torch.bfloat16, torch.zeros(0, 5))
    assert pooled.shape == (0, 8, 7, 7)
