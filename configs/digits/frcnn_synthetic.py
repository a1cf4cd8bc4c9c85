# The R50 reader of photographs, first half: drawn street scenes, in mixed precision.
#   python tools/train.py configs/digits/frcnn_synthetic.py
# Its data: --data-root data/street.
# As many scenes as HW2 has images:
#   python tools/prepare_data.py synthetic --fonts /usr/share/fonts --train 30062 --out data/street
# Not yet run: it takes a GPU.
_base_ = './frcnn_amp.py'

max_epochs = 6
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-2), clip_grad=dict(max_norm=10.0))
warm_up = dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500)
param_scheduler = [
    warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
