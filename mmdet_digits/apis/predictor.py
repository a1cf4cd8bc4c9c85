"""A trained detector on plain image files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader, load_state_dict
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmdet_digits.categories import DIGITS
from mmdet_digits.checkpoints.matching import check_checkpoint, weights_of
from mmdet_digits.engine.hooks.execution_hook import prepare_as_configured
from mmdet_digits.evaluation.predictions import Predictions
from mmdet_digits.utils.errors import InputError


@dataclass(frozen=True)
class ImageResult:
    """What was found in one image.

    Attributes:
        index: Which of the images it is.
        bboxes: Boxes (K, 4), xyxy in pixels of the file.
        scores: Scores (K,).
        labels: Digits (K,).
        error: Why the file could not be read; there are no boxes then.
    """

    index: int
    bboxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    error: str | None = None


class ImageFiles(Dataset):
    """Image files through a config's test pipeline, without annotations.

    Args:
        paths: the files.
        pipeline: the test pipeline; what loads annotations is left out of it.
    """

    def __init__(self, paths: Sequence[Path], pipeline: Sequence[dict]) -> None:
        self.paths = paths
        self.pipeline = Compose(
            [step for step in pipeline if not str(step['type']).endswith('LoadAnnotations')]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        """Return the index and the packed image, or the reason why there is none."""
        path = self.paths[index]
        try:
            packed = self.pipeline(dict(img_path=str(path), img_id=index))
        except (InputError, OSError, AssertionError, cv2.error) as error:
            return index, str(error) or f'{path}: cannot be read'
        return index, packed if packed is not None else f'{path}: cannot be read'


def load_detector(cfg: Config, checkpoint: Path | str, device: str) -> nn.Module:
    """Build a config's model and load its weights, all of them.

    mmdet's ``init_detector`` leaves what does not fit at random, with a log line.

    Args:
        cfg: the config; its pretrained backbone is not fetched.
        checkpoint: a file that ``tools/train.py`` wrote, or its weights as ``.safetensors``.
        device: e.g. ``'cpu'`` or ``'cuda:0'``.

    Raises:
        InputError: the checkpoint is not one of this model, or the device is not there.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    content = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    check_checkpoint(content, checkpoint, model.state_dict(), DIGITS, complete=True)
    load_state_dict(model, weights_of(content), strict=True)
    prepare_as_configured(model, cfg)
    try:
        return model.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f'--device {device}: not usable.\n  found:    {str(error).splitlines()[0]}\n'
            '  expected: cpu, or cuda:0 on a machine with a GPU\n  fix: --device cpu'
        ) from error


@torch.no_grad()
def predict_images(
    model: nn.Module, cfg: Config, paths: Sequence[Path], batch_size: int
) -> Iterator[list[ImageResult]]:
    """Detect the digits of images, batch by batch.

    Args:
        model: the detector, in test mode, or an :class:`OnnxDetector`.
        cfg: its config, for the test pipeline and the number of workers.
        paths: the images.
        batch_size: images per forward pass.

    Yields:
        The results of a batch; a file that cannot be read has its reason instead of boxes.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    loader = DataLoader(
        ImageFiles(paths, get_test_pipeline_cfg(cfg)),
        batch_size,
        collate_fn=list,
        num_workers=min(cfg.test_dataloader.num_workers, -(-len(paths) // batch_size) - 1),
    )
    for items in loader:
        readable = [(index, packed) for index, packed in items if not isinstance(packed, str)]
        results = [_unread(index, reason) for index, reason in items if isinstance(reason, str)]
        if readable:
            samples = model.test_step(pseudo_collate([packed for _, packed in readable]))
            indices = [index for index, _ in readable]
            results += [_result(i, s) for i, s in zip(indices, samples, strict=True)]
        yield results


def collect_predictions(
    results: Sequence[ImageResult], image_ids: Sequence[int], score_thr: float, source: str
) -> Predictions:
    """Gather what was found in all images.

    Args:
        results: one per image.
        image_ids: id of each image, by its index.
        score_thr: detections with a lower score are left out.
        source: where they will be saved, for messages.
    """
    kept = [result.scores >= score_thr for result in results]
    bboxes, scores, labels = (
        np.concatenate(
            [getattr(result, name)[mask] for result, mask in zip(results, kept, strict=True)]
        )
        for name in ('bboxes', 'scores', 'labels')
    )
    ids = np.repeat([image_ids[result.index] for result in results], [mask.sum() for mask in kept])
    bboxes = bboxes.reshape(-1, 4).astype(float)
    bboxes[:, 2:] -= bboxes[:, :2]
    return Predictions(source, ids, bboxes, scores.astype(float), labels)


def _result(index: int, sample: Any) -> ImageResult:
    found = sample.pred_instances.cpu()
    labels = found.labels.numpy()  # class n is the digit n, see mmdet_digits.categories
    return ImageResult(index, found.bboxes.float().numpy(), found.scores.float().numpy(), labels)


def _unread(index: int, reason: str) -> ImageResult:
    return ImageResult(index, np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int), reason)
