# System B with --freeze_backbone: all stages of the ResNet keep their COCO weights.
#   python tools/train.py configs/untested/frcnn_aug_cosine_frozen.py
# The feature pyramid and the heads still learn. Not yet run on HW2.
_base_ = '../digits/frcnn_aug_cosine.py'

model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
