# The laptop-size reader of photographs, second half: real images, from what drawn scenes taught.
#   python tools/train.py configs/digits/frcnn_tiny_best.py --data-root data/svhn
# First half: frcnn_tiny_synthetic.py, whose weights come along as models/frcnn_tiny_synthetic.
_base_ = './frcnn_tiny.py'

load_from = '{{ fileDirname }}/../../models/frcnn_tiny_synthetic.safetensors'

# What keeps a digit the same digit: no flip, small turns, colours, sizes.
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
    dict(
        type='RandomCenterAffine',
        max_rotate_degree=4.0,
        max_translate_ratio=0.05,
        scaling_ratio_range=(0.8, 1.2),
        max_shear_degree=3.0,
        border_val=(104, 116, 124),
    ),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs)
