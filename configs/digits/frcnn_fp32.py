# System A in full precision: a plain Faster R-CNN R50-FPN, fine-tuned from ImageNet.
#   python tools/train.py configs/digits/frcnn_fp32.py
# Published for its R50-FPN v2 on the 30,062 HW2 images: mAP 0.449-0.457, AP50 0.922 on valid,
# 22 min per epoch at torchvision's input scale on an 8 GB GPU. Not yet run on them here.
_base_ = [
    '../_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/sgd_step_30e.py',
]
