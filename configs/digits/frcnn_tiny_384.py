# The laptop-size reader of photographs that are cropped loosely: real images in wider scenes, with
# synthetic ones between them, at 384 x 192.
#   python tools/train.py configs/digits/frcnn_tiny_384.py
# Its data: --data-root data/svhn. Starts from the weights in models/.
_base_ = './frcnn_tiny_best.py'

scale = (384, 192)
max_epochs = 16
rounds = 1  # how often an epoch shows each real image
drawn_images = 900  # in an epoch
share = (0.35, 1.0)  # height of an image as a share of that of the scene it is put into

resize = dict(type='CanvasResize', scale=scale)
zoom_out = dict(type='RandomZoomOut', share=share)
augmentation = [_base_.load_boxes, zoom_out, *_base_.jitter, resize, _base_.pack]
real = dict(_base_.real, pipeline=[_base_.load_image, *augmentation])
drawn = dict(_base_.drawn, length=drawn_images, pipeline=augmentation)
datasets = [dict(type='RepeatDataset', times=rounds, dataset=real), drawn]
train_dataloader = dict(dataset=dict(datasets=datasets))

# Tested twice: on the whole image, and on crops around what was found in it. One pass only:
#   --cfg-options model.test_cfg.read_again=None
model = dict(type='ReadAgainFasterRCNN', test_cfg=dict(read_again=dict(shares=(0.5,), most=1)))
keep = dict(resize, keep_original=True)
test_pipeline = [_base_.load_image, keep, _base_.load_boxes, _base_.pack_for_test]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
number = dict(type='NumberMetric', assembly=dict(iou_thr=0.3, one_group=True))
val_evaluator = [_base_.coco_on_valid, number]
test_evaluator = [_base_.coco_on_test, number]

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
