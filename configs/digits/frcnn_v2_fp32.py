# System A as published, in full precision: torchvision's R50-FPN v2 from its COCO weights.
#   python tools/train.py configs/digits/frcnn_v2_fp32.py
# Keeps the model with the lowest validation loss. Published on the 30,062 HW2 images: mAP
# 0.449-0.457, AP50 0.922, precision at score 0.05 0.526; 22 min per epoch at torchvision's input
# scale of 1333 x 800 on an 8 GB GPU. Not yet run on them here.
_base_ = [
    '../_base_/models/faster-rcnn_r50_fpn_v2.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/sgd_step_30e.py',
]

load_from = 'torchvision-detection://fasterrcnn_resnet50_fpn_v2'
model = dict(backbone=dict(init_cfg=None))

precisions = [  # the original's accuracy: at 0.05 in this run, at 0.7 in the mixed-precision one
    dict(type='DigitsPrecisionMetric', score_thr=0.7),
    dict(type='DigitsPrecisionMetric', score_thr=0.05, prefix='digits_at_0.05'),
]
val_evaluator = [*_base_.val_evaluator, *precisions]
test_evaluator = [*_base_.test_evaluator, *precisions]
default_hooks = dict(checkpoint=dict(save_best='val/loss', rule='less'))
