# The laptop-size reader of photographs, second half: real images, and drawn ones between them.
#   python tools/train.py configs/digits/frcnn_tiny_best.py
# Its data: --data-root data/svhn.
# The first half is frcnn_tiny_synthetic_256.py; its weights come along. Fonts for drawn scenes:
#   --cfg-options train_dataloader.dataset.datasets.1.source.fonts=/usr/share/fonts
_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn_tiny.py',
    '../_base_/datasets/digits_256x128.py',
    '../_base_/datasets/digits_jitter.py',
    '../_base_/schedules/adamw_cosine_3e.py',
]

max_epochs = 4
rounds = 6  # how often an epoch shows each real image
drawn_images = 2526  # in an epoch: as many as 421 real ones make; for 30,000 in one round: 30000
load_from = '{{ fileDirname }}/../../models/frcnn_tiny_synthetic_256.safetensors'
box_style = '{{ fileDirname }}/../_base_/datasets/svhn_box_style.json'

resize = dict(type='CanvasResize', scale=_base_.scale)
augmentation = [_base_.load_boxes, *_base_.jitter, resize, _base_.pack]
train_pipeline = [_base_.load_image, *augmentation]
real = dict(_base_.train_dataloader.dataset, pipeline=train_pipeline)
drawn = dict(
    type='SyntheticDigits',
    length=drawn_images,
    source=dict(fonts=None, box_style=box_style),
    pipeline=augmentation,
)
datasets = [dict(type='RepeatDataset', times=rounds, dataset=real), drawn]
train_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=datasets))

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
