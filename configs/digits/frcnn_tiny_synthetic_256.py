# The laptop-size reader of photographs, continued: 24,000 new scenes, larger by a third.
#   python tools/train.py configs/digits/frcnn_tiny_synthetic_256.py
# Drawn while it trains, and validated on those of frcnn_tiny_synthetic.py: --data-root data/street.
# It starts from that config, trained before in the same folder. The fonts of the machine:
#   --cfg-options train_dataloader.dataset.source.fonts=/usr/share/fonts
_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn_tiny.py',
    '../_base_/datasets/digits_256x128.py',
    '../_base_/schedules/adamw_cosine_3e.py',
]

max_epochs = 1
load_from = 'work_dirs/frcnn_tiny_synthetic/epoch_2.pth'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SyntheticDigits',
        length=24000,
        source=dict(fonts=None),
        pipeline=[_base_.load_boxes, _base_.resize, _base_.pack],
    ),
)

# Drawn boxes are tight: see frcnn_tiny.py.
number = dict(type='NumberMetric', assembly=dict(iou_thr=0.3))
val_evaluator = [_base_.coco_on_valid, number]
test_evaluator = [_base_.coco_on_test, number]

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
