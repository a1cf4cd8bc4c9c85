# Faster R-CNN R50-FPN for the ten digits: mmdet's own, with kernels from torchvision and RoIs that
# stay in float32 under mixed precision.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

num_classes = 10  # the digits; the classifier has one output more, for the background
model = dict(
    data_preprocessor=dict(non_blocking=True),  # copies from pinned memory, see ExecutionHook
    roi_head=dict(
        bbox_roi_extractor=dict(type='Float32RoIExtractor', roi_layer=dict(use_torchvision=True)),
        bbox_head=dict(num_classes=num_classes),
    ),
)
