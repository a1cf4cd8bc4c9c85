# DINO R50, mmdet's own: a transformer that gives each digit one query, without anchors and NMS.
#   python tools/train.py configs/untested/dino_r50.py
# Model and optimizer are mmdet's; data, schedule and metrics are this project's. Not yet run.
_base_ = [
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_cosine_30e.py',
]

from mmengine.hub import get_config  # noqa: E402  (MMEngine looks for _base_ first)

published = get_config('mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py')
published.merge_from_dict(
    {
        # A query starts from a position of the feature maps: a narrow image has not mmdet's 900.
        'model.num_queries': 100,
        'model.test_cfg.max_per_img': 100,
        'model.bbox_head.num_classes': 10,
        'model.data_preprocessor.pad_size_divisor': 32,
        'model.data_preprocessor.non_blocking': True,
    }
)
model, optim_wrapper = published.model, published.optim_wrapper
val_cfg = dict(type='ValLoop')  # in eval mode mmdet's DINO makes no losses
del published
