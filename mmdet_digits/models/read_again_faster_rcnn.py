"""Faster R-CNN that looks twice: at the image, and at crops around what it has found there."""

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.models.detectors import FasterRCNN
from mmdet.models.utils import weighted_boxes_fusion
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet_digits.assembly.crops import CropRules, merge_passes, plan_crops

ORIGINAL = 'original'
"""Name under which ``CanvasResize(keep_original=True)`` leaves the image as it was."""
FUSION_IOU = 0.55


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
        readings = []
        for share in shares:
            rules = CropRules(share=share, aspect=canvas[0] / canvas[1], **options)
            readings.append(self._read_again(samples, originals, canvas, rules))
        for n, sample in enumerate(samples):
            merged = fuse([reading[n] for reading in readings])
            sample.pred_instances = as_instances(merged, batch_inputs.device)
        return samples

    def _read_again(
        self,
        samples: list[DetDataSample],
        originals: list[np.ndarray],
        canvas: tuple[int, int],
        rules: CropRules,
    ) -> list[tuple[np.ndarray, ...]]:
        """The boxes, scores and labels of each image, after a second pass over all crops."""
        first = [as_arrays(sample.pred_instances) for sample in samples]
        crops = [
            plan_crops(boxes, scores, image.shape[1::-1], rules)
            for (boxes, scores, _), image in zip(first, originals, strict=True)
        ]
        resize = TRANSFORMS.build(dict(type='CanvasResize', scale=canvas))
        views = [
            view_of(image, crop, resize)
            for image, its_crops in zip(originals, crops, strict=True)
            for crop in its_crops
        ]
        found = iter(self._detect(views, len(samples)))
        again = [[next(found) for _ in its_crops] for its_crops in crops]
        return [merge_passes(*parts) for parts in zip(first, crops, again, strict=True)]

    def _detect(
        self, views: list[dict], batch_size: int
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What is found in views, boxes in pixels of the images that they are from."""
        results = []
        for start in range(0, len(views), batch_size):
            batch = views[start : start + batch_size]
            data = dict(
                inputs=[view['inputs'] for view in batch],
                data_samples=[DetDataSample(metainfo=view['metainfo']) for view in batch],
            )
            data = self.data_preprocessor(data, False)
            samples = super().predict(data['inputs'], data['data_samples'])
            for view, sample in zip(batch, samples, strict=True):
                boxes, scores, labels = as_arrays(sample.pred_instances)
                results.append((boxes + np.tile(view['corner'], 2), scores, labels))
        return results


def view_of(image: np.ndarray, crop: Sequence[int], resize: BaseTransform) -> dict:
    """A crop of an image, as the test pipeline gives images to the detector.

    Args:
        image: (H, W, 3) uint8, BGR.
        crop: x1, y1, x2, y2 in whole pixels.
        resize: the ``CanvasResize`` that fits it into the canvas.

    Returns:
        ``inputs`` (3, H, W), ``metainfo`` for a sample, and ``corner``, where the crop begins.
    """
    x1, y1, x2, y2 = crop
    part = np.ascontiguousarray(image[y1:y2, x1:x2])
    results = resize(dict(img=part, img_shape=part.shape[:2], ori_shape=part.shape[:2]))
    keys = ('ori_shape', 'img_shape', 'scale_factor')
    return dict(
        inputs=torch.from_numpy(results['img']).permute(2, 0, 1).contiguous(),
        metainfo={key: results[key] for key in keys},
        corner=(x1, y1),
    )


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
