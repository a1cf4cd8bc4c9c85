# Faster R-CNN R50-FPN for the ten digits: mmdet's own, with kernels from torchvision and RoIs that
# stay in float32 under mixed precision. Proposals and RoIs are as many as numbers of at most six
# digits need: mmdet's 1000 and 512 cost four times as much and read no better, see
# benchmarks/README.md.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

num_classes = 10  # the digits; the classifier has one output more, for the background
model = dict(
    data_preprocessor=dict(non_blocking=True),  # copies from pinned memory, see ExecutionHook
    roi_head=dict(
        bbox_roi_extractor=dict(type='Float32RoIExtractor', roi_layer=dict(use_torchvision=True)),
        bbox_head=dict(num_classes=num_classes),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=1000, max_per_img=256),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100)),
)
