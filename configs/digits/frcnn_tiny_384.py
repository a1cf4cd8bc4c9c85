# The laptop-size reader of photographs that are cropped loosely: real images in wider scenes, with
# synthetic ones between them, at 384 x 192.
#   python tools/train.py configs/digits/frcnn_tiny_384.py
# Its data: --data-root data/svhn. Starts from the weights in models/.
_base_ = ['./frcnn_tiny.py', '../_base_/datasets/digits_jitter.py']

scale = (384, 192)
max_epochs = 16
rounds = 1  # how often an epoch shows each real image
synthetic = 900  # synthetic images per epoch
share = (0.35, 1.0)  # height of an image as a share of the scene that it is put into
load_from = '{{ fileDirname }}/../../models/frcnn_tiny_synthetic_256.safetensors'

augmentation = [
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomZoomOut', share=share),
    *_base_.jitter,
    dict(type='CanvasResize', scale=scale),
    dict(type='PackDetInputs'),
]
train_pipeline = [dict(type='LoadImageFromFile'), *augmentation]
real = dict(type='RepeatDataset', times=rounds, dataset=_base_.train_dataloader.dataset)
real['dataset'] = dict(real['dataset'], pipeline=train_pipeline)
box_style = '{{ fileDirname }}/../_base_/datasets/svhn_box_style.json'
drawn = dict(
    type='SyntheticDigits',
    length=synthetic,
    source=dict(fonts=None, box_style=box_style),
    pipeline=augmentation,
)
train_dataloader = dict(
    dataset=dict(_delete_=True, type='ConcatDataset', datasets=[real, drawn]),
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='CanvasResize', scale=scale),
    dict(type='LoadAnnotations', with_bbox=True),
    _base_.test_pipeline[-1],
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [_base_.val_evaluator[0], dict(type='NumberMetric')]
test_evaluator = [_base_.test_evaluator[0], dict(type='NumberMetric')]

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
