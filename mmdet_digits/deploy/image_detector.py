"""An exported detector on images of any size: needs neither torch nor mmdet."""

from collections.abc import Sequence

import numpy as np

from mmdet_digits.assembly.crops import CropRules, Found, read_again
from mmdet_digits.canvas import fit
from mmdet_digits.deploy.onnx_graph import OnnxGraph
from mmdet_digits.errors import InputError


class ImageDetector:
    """Finds digits as the config of an exported detector does: on its canvas, in its passes.

    Args:
        graph: the exported detector.
        most: how many numbers of an image it reads again, if it does; None for as many as its
            config says.

    Attributes:
        canvas: Width and height of what the network sees.
        rules: How it reads again; None where it makes one pass.
        assembly: The fields of its ``NumberAssembly``.

    Raises:
        InputError: its file does not tell the canvas.
    """

    def __init__(self, graph: OnnxGraph, most: int | None = None) -> None:
        self.graph = graph
        settings = graph.settings
        if 'canvas' not in settings:
            raise InputError(
                f'{graph.path}: cannot be used on images of any size.',
                'it does not tell the canvas that images are fitted into',
                'an export of a config with CanvasResize in its test pipeline',
                'export it again, with one of the recipes in configs/digits/',
            )
        self.canvas, self.filling = tuple(settings['canvas']), tuple(settings['filling'])
        aspect, reads_again = self.canvas[0] / self.canvas[1], settings['read_again']
        most = dict(most=most) if most else {}
        self.rules = CropRules(aspect=aspect, **(reads_again | most)) if reads_again else None
        self.assembly = settings['assembly']

    def detect(self, images: Sequence[np.ndarray]) -> list[Found]:
        """Detect the digits of images.

        Args:
            images: (H, W, 3) uint8 each, BGR; they go through the network together.

        Returns:
            For each image boxes (D, 4), xyxy in its pixels, scores and labels (D,), by falling
            score. They depend on that image alone.
        """
        first = self.detect_once(images)
        if not self.rules:
            return first
        return read_again(first, images, self.rules, self.detect_once)

    def detect_once(self, images: Sequence[np.ndarray]) -> list[Found]:
        """As :meth:`detect`, in one pass."""
        if not images:
            return []
        fitted = [fit(image, self.canvas, self.filling) for image in images]
        batch = np.stack([canvas for canvas, _ in fitted]).transpose(0, 3, 1, 2)
        found = self.graph.detect(
            np.ascontiguousarray(batch), [(height, width) for _, (width, height) in fitted]
        )
        return [
            (bboxes / factors(image, size), scores, labels)
            for image, (_, size), (bboxes, scores, labels) in zip(
                images, fitted, found, strict=True
            )
        ]


def factors(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels of the canvas per pixel of an image, for x1, y1, x2, y2 (4,)."""
    return np.tile(np.divide(size, image.shape[1::-1]), 2).astype(np.float32)
