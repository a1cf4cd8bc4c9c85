"""A checkpoint on images in memory, through the test pipeline of its config."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import mmdet_digits.register  # noqa: F401  (operators before mmdet)

# isort: split
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.utils import get_test_pipeline_cfg
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device

from mmdet_digits.assembly.crops import Found
from mmdet_digits.checks.config_files import read_config
from mmdet_digits.deploy.predictor import load_detector
from mmdet_digits.evaluation.assembly_files import assembly_of
from mmdet_digits.models.read_again_faster_rcnn import as_arrays


class ModelDetector:
    """Finds digits as ``tools/predict.py`` does.

    Args:
        config: the config.
        checkpoint: its checkpoint (.pth or .safetensors).
        most: as for :class:`mmdet_digits.deploy.image_detector.ImageDetector`.

    Attributes:
        canvas: Width and height of what the model sees.
        assembly: The fields of the config's ``NumberAssembly``.

    Raises:
        InputError: as :func:`load_detector`, or the config cannot be read.
    """

    def __init__(self, config: str | Path, checkpoint: Path | str, most: int | None = None) -> None:
        cfg = read_config(str(config))
        if most and cfg.model.test_cfg.get('read_again'):
            cfg.model.test_cfg.read_again.most = most
        self.model = load_detector(cfg, checkpoint, get_device())
        self.assembly = asdict(assembly_of(cfg))
        steps = get_test_pipeline_cfg(cfg)
        self.canvas = next(step['scale'] for step in steps if 'scale' in step)
        self.pipeline = Compose([step for step in steps if 'Load' not in str(step['type'])])

    @torch.no_grad()
    def detect(self, images: Sequence[np.ndarray]) -> list[Found]:
        """Detect the digits of images.

        Args:
            images: (H, W, 3) uint8 each, BGR.

        Returns:
            For each image boxes (D, 4), xyxy in its pixels, scores and labels (D,).
        """
        found, of_size = {}, defaultdict(list)
        for index, image in enumerate(images):
            shape = image.shape[:2]
            packed = self.pipeline(dict(img=image, img_shape=shape, ori_shape=shape, img_id=index))
            of_size[packed['inputs'].shape].append((index, packed))
        for same in of_size.values():
            samples = self.model.test_step(pseudo_collate([packed for _, packed in same]))
            for (index, _), sample in zip(same, samples, strict=True):
                found[index] = as_arrays(sample.pred_instances)
        return [found[index] for index in range(len(images))]
