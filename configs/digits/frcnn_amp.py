# System A in mixed precision: the same detector, batch 24, 15 epochs.
#   python tools/train.py configs/digits/frcnn_amp.py
# bfloat16 where the chip computes in it and on CPUs, else float16 with a dynamic loss scale, as the
# original (`--cfg-options optim_wrapper.dtype=float16` insists). Published: mAP 0.441 on valid,
# 15 min per epoch on an 8 GB GPU. Not yet run on the 30,062 HW2 images here.
_base_ = './frcnn_fp32.py'

max_epochs = 15
train_cfg = dict(max_epochs=max_epochs)
train_dataloader = dict(batch_size=24)
optim_wrapper = dict(type='PortableAmpOptimWrapper', loss_scale='dynamic', dtype='auto')
auto_scale_lr = dict(base_batch_size=24)
