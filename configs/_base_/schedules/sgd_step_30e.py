# SGD for 30 epochs, learning rate divided by 10 after every tenth; validation each epoch.
_base_ = '../default_runtime.py'

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=5e-3, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [dict(type='StepLR', step_size=10, gamma=0.1, by_epoch=True)]
auto_scale_lr = dict(enable=False, base_batch_size=16)
