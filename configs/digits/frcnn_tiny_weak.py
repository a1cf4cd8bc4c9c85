# As frcnn_tiny_384.py, with images of which only the numbers were known among the real ones.
#   python tools/train.py configs/digits/frcnn_tiny_weak.py
# Its data: --data-root data/svhn, where tools/pseudo_label.py has written train_extra.json beside a
# folder extra of those images, or a link to it. The detector that labelled them is a good start:
#   --cfg-options load_from=CHECKPOINT
_base_ = './frcnn_tiny_384.py'

max_epochs = 12
real_rounds = 1  # how often an epoch shows each real image
extra_rounds = 1  # .. each image that pseudo_label.py has kept
drawn_images = 900  # in an epoch

extra = dict(_base_.real, ann_file='train_extra.json', data_prefix=dict(img='extra/'))
datasets = [
    dict(type='RepeatDataset', times=real_rounds, dataset=_base_.real),
    dict(type='RepeatDataset', times=extra_rounds, dataset=extra),
    dict(_base_.drawn, length=drawn_images),
]
train_dataloader = dict(dataset=dict(datasets=datasets))

train_cfg = dict(max_epochs=max_epochs, val_interval=3)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
