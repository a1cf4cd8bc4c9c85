# Faster R-CNN at laptop size: 3.8 M parameters, trained from random weights.
# A ResNet-18 of half width, a pyramid of 64 channels that starts at stride 8, and a budget of
# proposals and RoIs that fits numbers of at most six digits.
_base_ = './faster-rcnn_r50_fpn.py'

width = 64
strides = [8, 16, 32]
model = dict(
    data_preprocessor=dict(pad_size_divisor=strides[0]),  # no level needs more: maps round up
    backbone=dict(
        depth=18,
        base_channels=32,
        stem_channels=32,
        out_indices=(1, 2, 3),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[64, 128, 256], out_channels=width, num_outs=len(strides)),
    rpn_head=dict(
        in_channels=width,
        feat_channels=width,
        anchor_generator=dict(scales=[2, 2.83, 4], strides=strides),  # sides from 16 px
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=width, featmap_strides=strides[:2]),
        bbox_head=dict(in_channels=width, fc_out_channels=4 * width),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=128),
        rcnn=dict(sampler=dict(pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(max_per_img=50)),
)
