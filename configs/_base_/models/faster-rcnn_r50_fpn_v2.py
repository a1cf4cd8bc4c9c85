# torchvision's `fasterrcnn_resnet50_fpn_v2` (arXiv 2111.11429) from mmdet's parts. With converted
# weights it has the same features, logits, detections and losses: tests/models/.
# To start from its COCO weights, in an experiment:
#   load_from = 'torchvision-detection://fasterrcnn_resnet50_fpn_v2'
#   model = dict(backbone=dict(init_cfg=None))  # else ImageNet weights are fetched for nothing
# Inherited and equal to torchvision's defaults: image mean and std, padding to 32, IoU thresholds,
# samplers, box coders, NMS, score threshold, P6 by max pooling, and `frozen_stages=1`, which is
# `trainable_backbone_layers=3`.
_base_ = './faster-rcnn_r50_fpn.py'

norm_cfg = dict(type='BN', requires_grad=True)
smooth_l1 = dict(type='SmoothL1Loss', beta=1 / 9)

model = dict(
    # torchvision's v2 has nn.BatchNorm2d, not the frozen one: stages 2-4 use batch statistics in
    # training. mmdet keeps the frozen stem and stage 1 in eval mode; torchvision does not.
    backbone=dict(norm_eval=False),
    neck=dict(norm_cfg=norm_cfg),
    rpn_head=dict(
        num_convs=2,
        anchor_generator=dict(type='RoundedAnchorGenerator'),
        loss_bbox=smooth_l1,
    ),
    roi_head=dict(
        # MultiScaleRoIAlign(sampling_ratio=2); torchvision's roi_align has aligned=False by default
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False)),
        bbox_head=dict(
            type='Shared4Conv1FCBBoxHead',
            norm_cfg=norm_cfg,
            loss_bbox=smooth_l1,
        ),
    ),
    train_cfg=dict(
        # Matcher(allow_low_quality_matches=True) gives each ground truth its best anchors, however
        # small the IoU; with mmdet's 0.3 a box far smaller than the smallest anchor gets none.
        # An anchor that is best for one box but overlaps another more goes to the first in mmdet.
        rpn=dict(assigner=dict(min_pos_iou=0.0)),
        # rpn_pre_nms_top_n_train, rpn_post_nms_top_n_train, RegionProposalNetwork.min_size
        rpn_proposal=dict(nms_pre=2000, max_per_img=2000, min_bbox_size=1e-3),
        rcnn=dict(sampler=dict(num=512)),  # box_batch_size_per_image
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=1000, min_bbox_size=1e-3)),
)
