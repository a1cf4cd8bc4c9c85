"""A detector that ONNX Runtime runs."""

from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_digits.deploy.onnx_export import INPUTS, OUTPUTS
from mmdet_digits.errors import InputError
from mmdet_digits.extras import import_extra

PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')  # the first that is there


class OnnxDetector:
    """A file of ``tools/export_onnx.py``, used as the model that it was made of.

    It takes as many threads as torch does, and a GPU where onnxruntime was installed for one.

    Args:
        path: the file.

    Raises:
        InputError: the file is not such a graph, or onnxruntime is not installed.
    """

    def __init__(self, path: Path | str) -> None:
        runtime = import_extra('onnxruntime', 'onnx')
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        available = runtime.get_available_providers()
        providers = [provider for provider in PROVIDERS if provider in available]
        try:
            self.session = runtime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime has a class of its own for each
            raise _not_a_detector(path, str(error).splitlines()[0]) from error
        names = tuple(node.name for node in self.session.get_inputs())
        if names != INPUTS:
            raise _not_a_detector(path, f'a graph with the inputs {", ".join(names)}')

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
        sizes = np.array([s.img_shape[:2] for s in data['data_samples']], dtype=np.int64)
        inputs = dict(zip(INPUTS, (np.stack(images), sizes), strict=True))
        arrays = self.session.run(OUTPUTS, inputs)
        bboxes, labels, scores, image_index = map(torch.from_numpy, arrays)
        of_image = [image_index == index for index in range(len(images))]
        return [
            InstanceData(bboxes=bboxes[rows], scores=scores[rows], labels=labels[rows])
            for rows in of_image
        ]

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Detect as a model of mmdet does, boxes in pixels of the original images."""
        found = self.detect(data)
        for sample, instances in zip(data['data_samples'], found, strict=True):
            instances.bboxes /= instances.bboxes.new_tensor(sample.scale_factor).repeat(2)
            sample.pred_instances = instances
        return data['data_samples']


def _not_a_detector(path: Path | str, found: str) -> InputError:
    return InputError(
        f'{path}: not an exported detector.',
        found,
        'a file that tools/export_onnx.py wrote',
        'export the checkpoint again',
    )
