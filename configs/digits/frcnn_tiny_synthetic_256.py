# The laptop-size reader of photographs, continued: 24,000 new scenes, larger by a third.
#   python tools/train.py configs/digits/frcnn_tiny_synthetic_256.py
# Drawn while it trains, and validated on those of frcnn_tiny_synthetic.py: --data-root data/street.
# It starts from that config, trained before in the same folder. The fonts of the machine:
#   --cfg-options train_dataloader.dataset.source.fonts=/usr/share/fonts
_base_ = './frcnn_tiny_synthetic.py'

load_from = 'work_dirs/frcnn_tiny_synthetic/epoch_2.pth'

scale = (256, 128)
train_pipeline = _base_.train_pipeline
train_pipeline[2].update(scale=scale)
test_pipeline = _base_.test_pipeline
test_pipeline[1].update(scale=scale)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SyntheticDigits',
        length=24000,
        source=dict(fonts=None),
        pipeline=train_pipeline[1:],  # the first step loads files
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

max_epochs = 1
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs)
