# The R50 reader of photographs, second half: real images, from what drawn scenes taught.
#   python tools/train.py configs/digits/frcnn_best.py
# Its data: --data-root data/svhn.
# Starts from frcnn_synthetic.py, trained before in the same folder. Not yet run: it takes a GPU.
_base_ = ['./frcnn_synthetic.py', '../_base_/datasets/digits_jitter.py']

load_from = 'work_dirs/frcnn_synthetic/epoch_6.pth'
model = dict(backbone=dict(init_cfg=None))

pipeline = _base_.train_pipeline
train_pipeline = [*pipeline[:2], *_base_.jitter, *pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs)
