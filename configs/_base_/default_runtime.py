# What every run has in common: seed, logging, a checkpoint per epoch and the best one, TensorBoard.
_base_ = 'mmdet::_base_/default_runtime.py'

custom_imports = dict(imports=['mmdet_digits.register'], allow_failed_imports=False)
randomness = dict(seed=42)

default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=1, save_best='coco/bbox_mAP', rule='greater'),
)
custom_hooks = [
    dict(type='RunEstimateHook'),
    dict(type='DerivedRandomnessHook'),  # a resumed run equals an uninterrupted one
    dict(type='MissedValidationHook'),
]
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(vis_backends=vis_backends)
