"""RoI pooling whose coordinates survive mixed precision."""

from mmdet.models import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class Float32RoIExtractor(SingleRoIExtractor):
    """Pool RoI features in float32, whatever the dtype of the feature maps.

    mmdet's extractor casts the RoIs to the dtype of the features. Under bfloat16 autocast that
    rounds a coordinate of 200 px to a multiple of 1 px and one of 600 px to a multiple of 4 px,
    which also moves RoIs to another pyramid level. Here both stay float32; the box head's linear
    layers go on in the autocast dtype.

    Arguments are those of :class:`mmdet.models.SingleRoIExtractor`.
    """

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
