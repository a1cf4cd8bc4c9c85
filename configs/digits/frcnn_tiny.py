# Laptop size, from random weights; `make demo` starts it from those in models/.
#   python tools/train.py configs/digits/frcnn_tiny.py
_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn_tiny.py',
    '../_base_/datasets/digits_192x96.py',
    '../_base_/schedules/adamw_cosine_3e.py',
]

# Drawn boxes are tight, so neighbours hardly overlap and a lower IoU tells duplicates. Chosen on
# the validation split by tools/analysis_tools/tune_assembly.py.
number = dict(type='NumberMetric', assembly=dict(iou_thr=0.3))
val_evaluator = [_base_.coco_on_valid, number]
test_evaluator = [_base_.coco_on_test, number]
