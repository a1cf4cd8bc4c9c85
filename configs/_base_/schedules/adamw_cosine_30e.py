# AdamW for 30 epochs, as many as system A's: a linear warm-up, then cosine to zero. The rate is
# that of the experiment.
_base_ = './adamw_cosine_3e.py'

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)

param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=1000)
param_scheduler[1].update(T_max=max_epochs)
auto_scale_lr = dict(base_batch_size=16)
