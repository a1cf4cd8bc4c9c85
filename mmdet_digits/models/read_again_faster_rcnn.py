"""Faster R-CNN that looks twice: at the image, and at crops around what it has found there."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from mmdet.models.detectors import FasterRCNN
from mmdet.models.utils import weighted_boxes_fusion
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet_digits.assembly.crops import CropRules, read_again

ORIGINAL = 'original'
"""Name under which ``CanvasResize(keep_original=True)`` leaves the image as it was."""
FUSION_IOU = 0.55
VIEW_KEYS = ('ori_shape', 'img_shape', 'scale_factor')


@MODELS.register_module()
class ReadAgainFasterRCNN(FasterRCNN):
    """mmdet's ``FasterRCNN``, which reads small numbers again, enlarged, when it predicts.

    A number that is small in its image is smaller still on the canvas of the test pipeline. So
    after the first pass each group of digits is cut out of the image as it was, with a margin,
    resized to the same canvas, and read once more. Inside a crop the second reading counts, outside
    the first. Training, losses and weights are those of ``FasterRCNN``.

    It is switched on by ``test_cfg.read_again``: options of
    :class:`mmdet_digits.assembly.crops.CropRules` but ``aspect``, and ``shares``, the heights of
    the digits as shares of the height of each crop: with several, each number is read as often, and
    the boxes are fused (weighted boxes fusion, Solovyev et al. 2021). Without it, or where the
    pipeline does not keep the original image, there is one pass.
    """

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Detect, as mmdet's ``predict`` does, and then in crops.

        Args:
            batch_inputs: (N, 3, H, W), normalised.
            batch_data_samples: one per image.
            rescale: whether boxes are in pixels of the original image; without it there is one
                pass.

        Returns:
            The samples, with ``pred_instances``.
        """
        originals = [sample.pop(ORIGINAL, None) for sample in batch_data_samples]
        samples = super().predict(batch_inputs, batch_data_samples, rescale)
        options = dict(self.test_cfg.get('read_again') or {})
        if not (options and rescale) or any(image is None for image in originals):
            return samples
        canvas = tuple(batch_inputs.shape[:-3:-1])
        shares = options.pop('shares', (CropRules.share,))
        first = [as_arrays(sample.pred_instances) for sample in samples]
        detect = partial(self._detect, canvas=canvas, batch_size=len(samples))
        readings = []
        for share in shares:
            rules = CropRules(share=share, aspect=canvas[0] / canvas[1], **options)
            readings.append(read_again(first, originals, rules, detect))
        for n, sample in enumerate(samples):
            merged = fuse([reading[n] for reading in readings])
            sample.pred_instances = as_instances(merged, batch_inputs.device)
        return samples

    def _detect(
        self, images: Sequence[np.ndarray], canvas: tuple[int, int], batch_size: int
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What is found in images (H, W, 3), BGR; boxes in pixels of each."""
        resize = TRANSFORMS.build(dict(type='CanvasResize', scale=canvas))
        results = []
        for start in range(0, len(images), batch_size):
            views = [
                resize(dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2]))
                for image in images[start : start + batch_size]
            ]
            data = dict(
                inputs=[torch.from_numpy(view['img']).permute(2, 0, 1) for view in views],
                data_samples=[
                    DetDataSample(metainfo={key: view[key] for key in VIEW_KEYS}) for view in views
                ],
            )
            data = self.data_preprocessor(data, False)
            samples = super().predict(data['inputs'], data['data_samples'])
            results += [as_arrays(sample.pred_instances) for sample in samples]
        return results


def as_arrays(found: InstanceData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4), scores (N,) and labels (N,) as NumPy arrays."""
    found = found.cpu()
    return found.bboxes.float().numpy(), found.scores.float().numpy(), found.labels.numpy()


def as_instances(
    found: tuple[np.ndarray, np.ndarray, np.ndarray], device: torch.device
) -> InstanceData:
    """Boxes, scores and labels as mmdet has them."""
    bboxes, scores, labels = (torch.from_numpy(np.ascontiguousarray(part)) for part in found)
    return InstanceData(
        bboxes=bboxes.float().to(device),
        scores=scores.float().to(device),
        labels=labels.long().to(device),
    )


def fuse(
    readings: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One set of boxes, scores and labels of several readings of an image."""
    if len(readings) == 1:
        return readings[0]
    bboxes, scores, labels = weighted_boxes_fusion(
        *(list(parts) for parts in zip(*readings, strict=True)), iou_thr=FUSION_IOU
    )
    return bboxes.reshape(-1, 4).numpy(), scores.numpy(), labels.numpy()
