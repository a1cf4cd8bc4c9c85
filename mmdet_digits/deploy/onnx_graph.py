"""A detector that ONNX Runtime runs, as arrays in and arrays out: needs neither torch nor mmdet."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdet_digits.errors import InputError

INPUTS = ('images', 'sizes')
OUTPUTS = ('bboxes', 'labels', 'scores', 'image_index')
PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')  # the first that is there


class OnnxGraph:
    """A file of ``tools/export_onnx.py``.

    Args:
        path: the file.
        threads: how many it may use; None for as many as there are cores.

    Raises:
        InputError: the file is not such a graph.
    """

    def __init__(self, path: Path | str, threads: int | None = None) -> None:
        import onnxruntime  # here: 60 ms, for those who use a checkpoint

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        available = onnxruntime.get_available_providers()
        providers = [provider for provider in PROVIDERS if provider in available]
        self.path = Path(path)
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime has a class of its own for each
            raise _not_a_detector(path, str(error).splitlines()[0]) from error
        names = tuple(node.name for node in self.session.get_inputs())
        if names != INPUTS:
            raise _not_a_detector(path, f'a graph with the inputs {", ".join(names)}')

    @property
    def settings(self) -> dict[str, Any]:
        """How the config that was exported reads images, see ``settings_of``; empty for others."""
        return json.loads(self.session.get_modelmeta().custom_metadata_map.get('settings', '{}'))

    def detect(
        self, images: np.ndarray, sizes: Sequence[tuple[int, int]]
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Detect the digits of images.

        Args:
            images: (B, 3, H, W) uint8, BGR, each in the top left corner of its canvas.
            sizes: height and width of each on it.

        Returns:
            For each image boxes (D, 4), xyxy in pixels of the canvas, scores and labels (D,), by
            falling score.
        """
        inputs = dict(zip(INPUTS, (images, np.array(sizes, dtype=np.int64)), strict=True))
        bboxes, labels, scores, image_index = self.session.run(OUTPUTS, inputs)
        ends = np.searchsorted(image_index, np.arange(1, len(images)))
        parts = (np.split(array, ends) for array in (bboxes, scores, labels))
        return list(zip(*parts, strict=True))


def _not_a_detector(path: Path | str, found: str) -> InputError:
    return InputError(
        f'{path}: not an exported detector.',
        found,
        'a file that tools/export_onnx.py wrote',
        'export the checkpoint again',
    )
