# AdamW for 30 epochs, as many as system A's: a linear warm-up, then cosine to zero. The rate is
# that of the experiment.
_base_ = './adamw_cosine_3e.py'

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=1000),
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)
