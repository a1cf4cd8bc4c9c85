"""Add every module of this project to mmdet's registries.

Configs name this file in ``custom_imports``. The operators come first: mmdet looks for ``mmcv.ops``
when it is imported, so a missing compiled extension has to be replaced before that. What they and
mmdet import without a digit needing it is put off: a third of the start of a tool.
"""

from mmdet_digits.utils.deferred_imports import deferred

UNUSED = (
    'torch._dynamo',
    'imagecorruptions',
    'imgaug',
    'matplotlib',
    'scipy.interpolate',
    'sklearn',
)

with deferred(*UNUSED):
    from mmdet_digits.ops import ensure_ops

    ensure_ops()

    import mmdet.datasets
    import mmdet.evaluation
    import mmdet.models
    import mmdet.visualization  # noqa: F401

import mmdet_digits.checkpoints.local_backend  # noqa: E402
import mmdet_digits.checkpoints.schemes  # noqa: E402
import mmdet_digits.datasets.digits_dataset  # noqa: E402
import mmdet_digits.datasets.samplers.size_grouped_batch_sampler  # noqa: E402
import mmdet_digits.datasets.synthetic_digits  # noqa: E402
import mmdet_digits.datasets.transforms.color_jitter  # noqa: E402
import mmdet_digits.datasets.transforms.load_checked_image  # noqa: E402
import mmdet_digits.datasets.transforms.random_area_erasing  # noqa: E402
import mmdet_digits.datasets.transforms.random_center_affine  # noqa: E402
import mmdet_digits.datasets.transforms.resize_policies  # noqa: E402
import mmdet_digits.engine.hooks.derived_randomness_hook  # noqa: E402
import mmdet_digits.engine.hooks.durable_checkpoint_hook  # noqa: E402
import mmdet_digits.engine.hooks.execution_hook  # noqa: E402
import mmdet_digits.engine.hooks.mean_loss_hook  # noqa: E402
import mmdet_digits.engine.hooks.missed_validation_hook  # noqa: E402
import mmdet_digits.engine.hooks.nonfinite_loss_hook  # noqa: E402
import mmdet_digits.engine.hooks.padding_hook  # noqa: E402
import mmdet_digits.engine.hooks.peak_memory_hook  # noqa: E402
import mmdet_digits.engine.hooks.run_estimate_hook  # noqa: E402
import mmdet_digits.engine.hooks.throughput_hook  # noqa: E402
import mmdet_digits.engine.loops.resumable_train_loop  # noqa: E402
import mmdet_digits.engine.loops.val_loss_loop  # noqa: E402
import mmdet_digits.engine.portable_amp_optim_wrapper  # noqa: E402
import mmdet_digits.evaluation.metrics.digits_coco_metric  # noqa: E402
import mmdet_digits.evaluation.metrics.digits_precision_metric  # noqa: E402
import mmdet_digits.evaluation.metrics.number_metric  # noqa: E402
import mmdet_digits.models.float32_roi_extractor  # noqa: E402
import mmdet_digits.models.rounded_anchor_generator  # noqa: E402
import mmdet_digits.models.torchvision_weights  # noqa: E402, F401
