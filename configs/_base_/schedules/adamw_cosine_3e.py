# AdamW for 3 epochs: a short linear warm-up, then cosine to zero; validation each epoch.
max_epochs = 3
train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLossLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
