"""RoI pooling whose coordinates survive mixed precision."""

from mmcv.ops import RoIAlign
from mmdet.models import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmdet_digits.ops.separable_roi_align import separable_roi_align


class PortableRoIAlign(RoIAlign):
    """RoIAlign by whatever is fastest where the features are: matrix products on a CPU."""

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        """Pool (K, 5) RoIs from (B, C, H, W) features; (K, C, *output_size)."""
        if input.is_cuda or self.pool_mode != 'avg':
            return super().forward(input, rois)
        options = (self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)
        return separable_roi_align(input, rois, *options)


@MODELS.register_module()
class Float32RoIExtractor(SingleRoIExtractor):
    """Pool RoI features in float32, whatever the dtype of the feature maps.

    mmdet's extractor casts the RoIs to the dtype of the features. Under bfloat16 autocast that
    rounds a coordinate of 200 px to a multiple of 1 px and one of 600 px to a multiple of 4 px,
    which also moves RoIs to another pyramid level. Here both stay float32; the box head's linear
    layers go on in the autocast dtype.

    On a CPU a ``RoIAlign`` is computed by :func:`separable_roi_align`.

    Arguments are those of :class:`mmdet.models.SingleRoIExtractor`.
    """

    def build_roi_layers(self, layer_cfg: dict, featmap_strides: list[int]) -> nn.ModuleList:
        """One layer per pyramid level, as mmdet builds them."""
        options = dict(layer_cfg)
        if options.pop('type') != 'RoIAlign':
            return super().build_roi_layers(layer_cfg, featmap_strides)
        return nn.ModuleList(
            PortableRoIAlign(spatial_scale=1 / stride, **options) for stride in featmap_strides
        )

    def forward(
        self, feats: tuple[Tensor, ...], rois: Tensor, roi_scale_factor: float | None = None
    ) -> Tensor:
        """Extract the features of each RoI.

        Args:
            feats: one (B, C, H_l, W_l) map per pyramid level, finest first.
            rois: (K, 5), ``[batch_index, x1, y1, x2, y2]`` in pixels of the network's input.
            roi_scale_factor: enlarge each RoI about its centre by this factor before pooling.

        Returns:
            (K, C, output_size, output_size) float32 features.
        """
        feats = tuple(feat.float() for feat in feats)
        return super().forward(feats, rois.float(), roi_scale_factor)
