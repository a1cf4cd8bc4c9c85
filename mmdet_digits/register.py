# ruff: noqa: E402, F401
"""Add every module of this project to mmdet's registries.

Configs name this file in ``custom_imports``. The operators come first: mmdet looks for ``mmcv.ops``
when it is imported, so a missing compiled extension has to be replaced before that.
"""

from contextlib import redirect_stdout

from mmdet_digits.ops import ensure_ops

ensure_ops()

with redirect_stdout(None):  # mmdet prints twice that OneDL, which nothing here needs, is missing
    import mmdet.datasets
    import mmdet.evaluation
    import mmdet.models
    import mmdet.visualization

import mmdet_digits.checkpoints.local_backend
import mmdet_digits.checkpoints.sources
import mmdet_digits.datasets.digits_dataset
import mmdet_digits.datasets.synthetic_digits
import mmdet_digits.datasets.transforms.canvas_resize
import mmdet_digits.datasets.transforms.color_jitter
import mmdet_digits.datasets.transforms.load_checked_image
import mmdet_digits.datasets.transforms.random_area_erasing
import mmdet_digits.datasets.transforms.random_center_affine
import mmdet_digits.datasets.transforms.random_zoom_out
import mmdet_digits.engine.hooks.durable_checkpoint_hook
import mmdet_digits.engine.hooks.execution_hook
import mmdet_digits.engine.hooks.graceful_stop_hook
import mmdet_digits.engine.hooks.mean_loss_hook
import mmdet_digits.engine.hooks.missed_validation_hook
import mmdet_digits.engine.hooks.nonfinite_loss_hook
import mmdet_digits.engine.hooks.peak_memory_hook
import mmdet_digits.engine.hooks.sanity_validation_hook
import mmdet_digits.engine.hooks.throughput_hook
import mmdet_digits.engine.loops.resumable_train_loop
import mmdet_digits.engine.loops.val_loss_loop
import mmdet_digits.engine.portable_amp_optim_wrapper
import mmdet_digits.engine.seeded_samples
import mmdet_digits.evaluation.metrics.digits_coco_metric
import mmdet_digits.evaluation.metrics.digits_precision_metric
import mmdet_digits.evaluation.metrics.number_metric
import mmdet_digits.models.float32_roi_extractor
import mmdet_digits.models.read_again_faster_rcnn
import mmdet_digits.models.rounded_anchor_generator
import mmdet_digits.models.timm_backbone
import mmdet_digits.models.torchvision_weights
