"""A detector that ONNX Runtime runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_digits.apis.onnx_export import INPUTS, OUTPUTS
from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.extras import import_extra

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

    def detect(self, images: Sequence[np.ndarray]) -> list[InstanceData]:
        """Detect the digits of a batch.

        Args:
            images: each (3, H, W) uint8, BGR, sizes may differ.

        Returns:
            For each image ``bboxes`` (D, 4), xyxy in its pixels, ``scores`` and ``labels`` (D,),
            by falling score.
        """
        sizes = np.array([image.shape[1:] for image in images], dtype=np.int64)
        batch = np.zeros((len(images), 3, *sizes.max(axis=0)), dtype=np.uint8)
        for image, place, (height, width) in zip(images, batch, sizes, strict=True):
            place[:, :height, :width] = image
        arrays = self.session.run(OUTPUTS, dict(zip(INPUTS, (batch, sizes), strict=True)))
        bboxes, labels, scores, image_index = map(torch.from_numpy, arrays)
        of_image = [image_index == index for index in range(len(images))]
        return [
            InstanceData(bboxes=bboxes[rows], scores=scores[rows], labels=labels[rows])
            for rows in of_image
        ]

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Detect as a model of mmdet does, boxes in pixels of the original images.

        Args:
            data: a batch of the test pipeline, as ``pseudo_collate`` makes it.
        """
        found = self.detect([image.numpy() for image in data['inputs']])
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
