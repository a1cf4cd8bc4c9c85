# The laptop-size reader of photographs, second half: real images, and drawn ones between them.
#   python tools/train.py configs/digits/frcnn_tiny_best.py
# Its data: --data-root data/svhn.
# The first half is frcnn_tiny_synthetic_256.py; its weights come along. Fonts for drawn scenes:
#   --cfg-options train_dataloader.dataset.datasets.1.source.fonts=/usr/share/fonts
_base_ = ['./frcnn_tiny.py', '../_base_/datasets/digits_jitter.py']

load_from = '{{ fileDirname }}/../../models/frcnn_tiny_synthetic_256.safetensors'

scale = (256, 128)
pipeline = _base_.train_pipeline
train_pipeline = [*pipeline[:2], *_base_.jitter, *pipeline[2:]]
train_pipeline[-2].update(scale=scale)
test_pipeline = _base_.test_pipeline
test_pipeline[1].update(scale=scale)

box_style = '{{ fileDirname }}/../_base_/datasets/svhn_box_style.json'
real = dict(type='RepeatDataset', times=6, dataset=_base_.train_dataloader.dataset)
real['dataset'].update(pipeline=train_pipeline)
drawn = dict(
    type='SyntheticDigits',
    length=2526,  # as many as 421 real images make in 6 rounds; for 30,000 in one: 30000
    source=dict(fonts=None, box_style=box_style),
    pipeline=train_pipeline[1:],  # the first step loads files
)
train_dataloader = dict(
    dataset=dict(_delete_=True, type='ConcatDataset', datasets=[real, drawn]),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# SVHN's boxes are loose and neighbours overlap; the default assembly keeps both.
val_evaluator = [_base_.val_evaluator[0], dict(type='NumberMetric')]
test_evaluator = [_base_.test_evaluator[0], dict(type='NumberMetric')]

max_epochs = 4
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs)
