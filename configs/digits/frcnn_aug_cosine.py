# System B as published: augmentation, anchors of 8, 16 and 32 px, cosine, mixed precision.
#   python tools/train.py configs/digits/frcnn_aug_cosine.py
# Faithful in its schedule: a cosine with a half-period of 10 epochs, over 15, so the learning rate
# rises again to half its start after epoch 10 (frcnn_aug_cosine15.py ends at zero). The original
# gave one anchor size to each level of the pyramid; meant, and done here, is all sizes on each.
# Published: mAP 0.33 and number accuracy 0.69 on the HW2 test images. Not yet run on them here.
_base_ = [
    '../_base_/models/faster-rcnn_r50_fpn_v2.py',
    '../_base_/datasets/digits_augmented.py',
    '../_base_/schedules/sgd_cosine_15e.py',
]

load_from = 'torchvision-detection://fasterrcnn_resnet50_fpn_v2'
anchors = dict(base_sizes=[8] * 5, scales=[1, 2, 4], ratios=[0.5, 1.0, 2.0])
model = dict(backbone=dict(init_cfg=None), rpn_head=dict(anchor_generator=anchors))

train_dataloader = dict(batch_size=8, num_workers=4)
optim_wrapper = dict(type='PortableAmpOptimWrapper', loss_scale='dynamic', dtype='auto')
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, by_epoch=True)]

number = dict(type='NumberMetric', assembly='system_b')
val_evaluator = [_base_.coco_on_valid, number]
test_evaluator = [_base_.coco_on_test, number]
