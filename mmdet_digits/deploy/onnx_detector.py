"""An exported detector in the place of the model that it was made of."""

from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_digits.assembly.crops import read_again
from mmdet_digits.deploy.image_detector import ImageDetector
from mmdet_digits.deploy.onnx_graph import OnnxGraph
from mmdet_digits.errors import InputError
from mmdet_digits.models.read_again_faster_rcnn import ORIGINAL, as_arrays, as_instances


class OnnxDetector:
    """A file of ``tools/export_onnx.py``, used as the model that it was made of.

    It takes as many threads as torch does, and a GPU where onnxruntime was installed for one.

    Args:
        path: the file.

    Raises:
        InputError: the file is not such a graph.
    """

    def __init__(self, path: Path | str) -> None:
        self.graph = OnnxGraph(path, torch.get_num_threads())
        reads_again = self.graph.settings.get('read_again')
        self.image_detector = ImageDetector(self.graph) if reads_again else None

    def detect(self, data: dict) -> list[InstanceData]:
        """Detect the digits of a batch.

        Args:
            data: a batch of the test pipeline, as ``pseudo_collate`` makes it: ``inputs``, each
                (3, H, W) uint8, BGR, and ``data_samples``, whose ``img_shape`` is the size of the
                image on its canvas of H x W.

        Returns:
            For each image ``bboxes`` (D, 4), xyxy in pixels of the canvas, ``scores`` and
            ``labels`` (D,), by falling score.

        Raises:
            InputError: the canvases differ in size.
        """
        images = [image.numpy() for image in data['inputs']]
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise InputError(
                'The images of a batch differ in size.',
                ', '.join(f'{width} x {height}' for _, height, width in sorted(shapes)),
                'one size, since padding would change what is read',
                "use dict(type='CanvasResize', scale=(width, height)) in the test pipeline, or "
                'batches of one image',
            )
        sizes = [sample.img_shape[:2] for sample in data['data_samples']]
        return [
            InstanceData(
                bboxes=torch.from_numpy(bboxes),
                scores=torch.from_numpy(scores),
                labels=torch.from_numpy(labels),
            )
            for bboxes, scores, labels in self.graph.detect(np.stack(images), sizes)
        ]

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Detect as a model of mmdet does, boxes in pixels of the original images.

        Where the pipeline keeps the originals they are read again as the exported config does it.
        """
        samples = data['data_samples']
        originals = [sample.pop(ORIGINAL, None) for sample in samples]
        found = []
        for sample, instances in zip(samples, self.detect(data), strict=True):
            instances.bboxes /= instances.bboxes.new_tensor(sample.scale_factor).repeat(2)
            found.append(as_arrays(instances))
        detector = self.image_detector
        if detector and not any(image is None for image in originals):
            found = read_again(found, originals, detector.rules, detector.detect_once)
        for sample, arrays in zip(samples, found, strict=True):
            sample.pred_instances = as_instances(arrays, torch.device('cpu'))
        return samples
