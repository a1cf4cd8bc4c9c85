# The R50 reader of photographs, second half: real images, from what drawn scenes taught.
#   python tools/train.py configs/digits/frcnn_best.py
# Its data: --data-root data/svhn.
# Starts from frcnn_synthetic.py, trained before in the same folder. Not yet run: it takes a GPU.
_base_ = ['./frcnn_synthetic.py', '../_base_/datasets/digits_jitter.py']

max_epochs = 12
load_from = 'work_dirs/frcnn_synthetic/epoch_6.pth'
model = dict(backbone=dict(init_cfg=None))

resize = dict(type='CanvasResize', scale=_base_.scale)
train_pipeline = [_base_.load_image, _base_.load_boxes, *_base_.jitter, resize, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
