# The laptop-size reader of photographs, second half: real images, from what drawn scenes taught.
#   python tools/train.py configs/digits/frcnn_tiny_best.py
# Its data: --data-root data/svhn.
# The first half is frcnn_tiny_synthetic.py; its weights come along.
_base_ = ['./frcnn_tiny.py', '../_base_/datasets/digits_jitter.py']

load_from = '{{ fileDirname }}/../../models/frcnn_tiny_synthetic.safetensors'

pipeline = _base_.train_pipeline
train_pipeline = [*pipeline[:2], *_base_.jitter, *pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

max_epochs = 36  # of the 421 images that it was measured with; a third of that for 30,000
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs)
