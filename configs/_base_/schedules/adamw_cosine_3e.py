# AdamW for 3 epochs: a short linear warm-up, then cosine to zero; validation each epoch.
_base_ = '../default_runtime.py'

max_epochs = 3
train_cfg = dict(max_epochs=max_epochs)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=10.0),
)
warm_up = dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100)
param_scheduler = [
    warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
