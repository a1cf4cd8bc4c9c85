"""How far an exported detector is from the model that it was made of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import nn

from mmdet_digits.assembly.matching import match_greedily
from mmdet_digits.deploy.onnx_detector import OnnxDetector
from mmdet_digits.deploy.predictor import ImageFiles
from mmdet_digits.errors import InputError

TOLERANCE = 1e-4
HALF_TOLERANCE = 0.02  # of weights stored in float16
SAME_BOX = 0.75  # IoU; boxes of one class that both survive NMS overlap by less


@dataclass
class Parity:
    """What was compared and how it differed.

    Attributes:
        images: Images seen by both.
        detections: Detections of PyTorch.
        unpaired: Detections that only one of the two has.
        bboxes: Greatest difference of a coordinate, in pixels of the network's input.
        scores: Greatest difference of a score.
    """

    images: int = 0
    detections: int = 0
    unpaired: int = 0
    bboxes: float = 0.0
    scores: float = 0.0

    def holds(self, tolerance: float = TOLERANCE) -> bool:
        """Whether both find the same boxes, coordinates and scores within a tolerance."""
        return not self.unpaired and max(self.bboxes, self.scores) <= tolerance

    def __str__(self) -> str:
        return (
            f'{self.images:,} images, {self.detections:,} detections: largest difference from '
            f'PyTorch {self.bboxes:.1e} px, {self.scores:.1e} in score; {self.unpaired} unpaired'
        )

    def add(self, expected: InstanceData, found: InstanceData) -> None:
        """Count one image: what PyTorch found in it, and what the exported detector found."""
        boxes, scores, labels = zip(
            *([item[key].numpy() for key in ('bboxes', 'scores', 'labels')]
              for item in (expected, found)), strict=True
        )  # fmt: skip
        match = match_greedily(boxes[0], labels[0], boxes[1], labels[1], SAME_BOX)
        pairs = np.flatnonzero(match >= 0), match[match >= 0]
        self.images += 1
        self.detections += len(match)
        self.unpaired += len(labels[0]) + len(labels[1]) - 2 * len(pairs[0])
        for name, (ours, theirs) in dict(bboxes=boxes, scores=scores).items():
            difference = np.abs(ours[pairs[0]] - theirs[pairs[1]])
            setattr(self, name, max(getattr(self, name), float(difference.max(initial=0))))


@torch.no_grad()
def measure_parity(model: nn.Module, detector: OnnxDetector, batches: Iterable[dict]) -> Parity:
    """Compare a model and its export on batches of the test pipeline.

    Args:
        model: of mmdet, in eval mode, on the CPU.
        detector: made of it.
        batches: as ``packed_batches`` gives them.
    """
    parity = Parity()
    for batch in batches:
        data = model.data_preprocessor(batch, False)
        samples = model.predict(data['inputs'], data['data_samples'], rescale=False)
        found = detector.detect(batch)
        for sample, instances in zip(samples, found, strict=True):
            parity.add(sample.pred_instances, instances)
    return parity


def packed_batches(paths: Sequence[Path], cfg: Config, batch_size: int) -> Iterator[dict]:
    """Load images with a config's test pipeline, some at a time.

    Args:
        paths: the files.
        cfg: the config.
        batch_size: images per batch; the last may have fewer.

    Raises:
        InputError: one cannot be read.
    """
    files = ImageFiles(paths, get_test_pipeline_cfg(cfg))
    for start in range(0, len(paths), batch_size):
        items = [files[index][1] for index in range(start, min(start + batch_size, len(paths)))]
        unread = next((item for item in items if isinstance(item, str)), None)
        if unread:
            raise InputError(unread)
        yield pseudo_collate(items)
