# What every run has in common: seed, loops, hooks, a checkpoint per epoch and the best one, logs.
_base_ = 'mmdet::_base_/default_runtime.py'

custom_imports = dict(imports=['mmdet_digits.register'], allow_failed_imports=False)
randomness = dict(seed=42)

train_cfg = dict(type='ResumableTrainLoop', val_interval=1)
val_cfg = dict(type='ValLossLoop')  # losses and metrics of the validation set
test_cfg = dict(type='TestLoop')

default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(
        type='DurableCheckpointHook', interval=1, save_best='coco/bbox_mAP', rule='greater'
    ),
)
computing = [  # what decides how a run computes
    dict(type='ExecutionHook', channels_last=True, tf32=None, keep_freed_memory=True),
    dict(type='SyncBuffersHook'),  # running statistics of batch norm, each epoch, of all processes
]
watching = [  # what only looks, reports or ends a run
    dict(type='SanityValidationHook'),
    dict(type='GracefulStopHook'),  # on Ctrl-C and SIGTERM
    dict(type='MissedValidationHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='PeakMemoryHook'),
    dict(type='MeanLossHook'),  # of all processes
]
custom_hooks = computing + watching
# Training figures are means over the last 50 iterations. MMEngine's pattern would also log val/loss
# as a mean over the validations so far.
log_processor = dict(mean_pattern='^(?!val/).*(loss|time|grad_norm)')
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(vis_backends=vis_backends)
