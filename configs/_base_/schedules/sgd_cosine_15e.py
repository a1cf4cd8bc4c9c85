# SGD for 15 epochs, learning rate along half a cosine to zero, one step per epoch; losses and
# metrics on the validation set each epoch.
_base_ = '../default_runtime.py'

max_epochs = 15
train_cfg = dict(max_epochs=max_epochs)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=5e-3, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True)]
auto_scale_lr = dict(enable=False, base_batch_size=8)
