"""Any network of timm as a backbone."""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmdet_digits.checkpoints.matching import check_network, weights_of
from mmdet_digits.checkpoints.sources import load_from_source
from mmdet_digits.errors import InputError
from mmdet_digits.models.efficientnet_names import to_timm_names


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A network of timm (PyTorch Image Models) that gives feature maps.

    Levels of features are counted as timm does: 0 is the finest, of stride 2 or 4. Weights are
    loaded by ``init_weights``, so a model that is built to predict fetches none. Networks for
    images of one size only, as most of timm's transformers are, refuse others.

    Args:
        model_name: as ``timm.list_models()`` has it, e.g. ``'resnet18'``; with the name of its
            weights where there are several, e.g. ``'resnet18.a1_in1k'``.
        out_indices: the levels to return; negative ones count from the last.
        frozen_stages: the layers up to the end of this level are not trained; -1 for none.
        norm_eval: keep the running statistics of all batch norms as they are.
        pretrained: start from timm's published weights, which it fetches from their host.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` to start from the weights of the
            whole network, classifier included, in a file or another source of
            :func:`mmdet_digits.checkpoints.sources.resolve`. Its names are timm's or those that
            :func:`mmdet_digits.models.efficientnet_names.to_timm_names` knows.

    Attributes:
        features: timm's network.

    Raises:
        InputError: timm is not installed, or ``init_cfg`` asks for something else.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (-4, -3, -2, -1),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        pretrained: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if init_cfg and (pretrained or init_cfg.keys() != {'type', 'checkpoint'}):
            raise InputError(
                'TimmBackbone: one source of weights is needed.',
                f'init_cfg={init_cfg}, pretrained={pretrained}',
                "init_cfg=dict(type='Pretrained', checkpoint=...), or pretrained=True, or neither",
                'take one of them out',
            )
        self.model_name, self.out_indices = model_name, tuple(out_indices)
        self.norm_eval, self.pretrained = norm_eval, pretrained
        self.features = self._create_features(self.out_indices)
        if frozen_stages >= 0:
            self._freeze(frozen_stages)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Features (B, C_l, H_l, W_l) of images (B, 3, H, W), one per level."""
        return tuple(self.features(images))

    def train(self, mode: bool = True) -> nn.Module:
        """Switch between training and testing; batch norms that stay as they are keep testing."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm) and (
                self.norm_eval or not module.weight.requires_grad
            ):
                module.eval()
        return self

    def init_weights(self) -> None:
        """Load the weights that the config asks for; without, those of timm's initialisation stay.

        Raises:
            InputError: they are not those of this network, or cannot be had.
        """
        if not (self.init_cfg or self.pretrained):
            return
        given = dict(state_dict=self._read(self.init_cfg['checkpoint'])) if self.init_cfg else None
        try:
            trained = self._create_features(
                self.out_indices, pretrained=True, pretrained_cfg_overlay=given
            )
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"timm's weights of {self.model_name} cannot be had.",
                str(error),
                'weights that timm publishes, and a connection; or a file',
                'fetch it on another machine; then pretrained=False and '
                "init_cfg=dict(type='Pretrained', checkpoint=FILE)",
            ) from error
        self.features.load_state_dict(trained.state_dict())

    def _create(self, **options) -> nn.Module:
        try:
            import timm
        except ImportError as error:
            raise InputError(
                'TimmBackbone needs the package timm.',
                str(error),
                "what the extra 'pretrained' of this project installs",
                "pip install -e '.[pretrained]', in the folder of the project",
            ) from error
        return timm.create_model(self.model_name, **options)

    def _create_features(self, levels: Sequence[int], **options) -> nn.Module:
        return self._create(features_only=True, out_indices=levels, **options)

    def _freeze(self, level: int) -> None:
        """Fix the parameters that a level of features depends on, whatever timm calls them."""
        with torch.device('meta'), torch.enable_grad():
            probe = self._create_features((level,))
            (feature,) = probe(torch.empty(1, *probe.pretrained_cfg['input_size']))
        names, parameters = zip(*probe.named_parameters(), strict=True)
        gradients = torch.autograd.grad(feature.sum(), parameters, allow_unused=True)
        for name, gradient in zip(names, gradients, strict=True):
            if gradient is not None:
                self.features.get_parameter(name).requires_grad_(False)

    def _read(self, source: str) -> dict[str, Tensor]:
        """The weights of a source, by timm's names."""
        with torch.device('meta'):
            expected = self._create().state_dict()
        weights = to_timm_names(weights_of(load_from_source(source)), expected)
        try:
            check_network(weights, expected, f"timm's {self.model_name}")
        except InputError as error:
            raise InputError(f'{source}: {error}') from error
        return weights
