# The laptop-size reader of photographs, first half: 24,000 drawn street scenes, two epochs.
#   python tools/train.py configs/digits/frcnn_tiny_synthetic.py
# Its data: --data-root data/street.
# They are drawn in the fonts of the machine; the model card, models/README.md, says which:
#   python tools/prepare_data.py synthetic --fonts /usr/share/fonts --train 24000 --out data/street
_base_ = './frcnn_tiny.py'

max_epochs = 2
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
