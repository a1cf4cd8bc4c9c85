# System B's ablation: no augmentation.
#   python tools/train.py configs/digits/frcnn_aug_cosine_noaug.py
# Published: validation loss 0.29 instead of 0.25 at epoch 4. Not yet run on HW2.
_base_ = './frcnn_aug_cosine.py'

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
