# RTMDet-tiny, mmdet's own, from its ImageNet weights: without anchors and RoIs.
#   python tools/train.py configs/untested/rtmdet_tiny.py
# Model and optimizer are mmdet's, the learning rate scaled from its batch of 256; data, schedule
# and metrics are this project's. Not yet run.
_base_ = [
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_cosine_30e.py',
]

from mmengine.hub import get_config  # noqa: E402  (MMEngine looks for _base_ first)

published = get_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
published.merge_from_dict(
    {
        'model.bbox_head.num_classes': 10,
        'model.data_preprocessor.pad_size_divisor': 32,  # its own pipeline pads to 640 x 640
        'model.data_preprocessor.non_blocking': True,
        **{f'model.{part}.norm_cfg.type': 'BN' for part in ('backbone', 'neck', 'bbox_head')},
        'optim_wrapper.optimizer.lr': 0.004 * 16 / 256,
        'optim_wrapper.clip_grad': None,
    }
)
model, optim_wrapper = published.model, published.optim_wrapper
del published
