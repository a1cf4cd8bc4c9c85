# Cascade R-CNN R50-FPN, mmdet's own: three box heads in a row, each for tighter boxes.
#   python tools/train.py configs/untested/cascade_rcnn_r50.py
# Data, schedule and metrics are those of frcnn_fp32.py. Not yet run.
_base_ = [
    'mmdet::_base_/models/cascade-rcnn_r50_fpn.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/sgd_step_30e.py',
]

model = dict(
    data_preprocessor=dict(non_blocking=True),
    roi_head=dict(
        bbox_roi_extractor=dict(type='Float32RoIExtractor', roi_layer=dict(use_torchvision=True)),
        bbox_head=[dict(head, num_classes=10) for head in _base_.model.roi_head.bbox_head],
    ),
)
