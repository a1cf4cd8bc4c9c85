"""A trained detector on plain image files."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader, load_state_dict
from rich.console import Console
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmdet_digits.checkpoints.matching import check_checkpoint, weights_of
from mmdet_digits.checks.finding import first_ten
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.deploy.onnx_detector import OnnxDetector
from mmdet_digits.engine.hooks.execution_hook import prepare_as_configured
from mmdet_digits.errors import InputError, failure_line
from mmdet_digits.evaluation.predictions import Predictions
from mmdet_digits.image_reading import MAX_PIXELS
from mmdet_digits.progress import image_progress

LOADERS = ('LoadImageFromFile', 'LoadCheckedImage')


@dataclass(frozen=True)
class ImageResult:
    """What was found in one image.

    Attributes:
        index: Which of the images it is.
        bboxes: Boxes (K, 4), xyxy in pixels of the file.
        scores: Scores (K,).
        labels: Digits (K,).
        scale: Pixels of the model's input per pixel of the file.
        error: Why the file could not be read, in one line; there are no boxes then.
    """

    index: int
    bboxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    scale: float = 1.0
    error: str | None = None


class ImageFiles(Dataset):
    """Image files through a config's test pipeline, without annotations.

    Args:
        paths: the files.
        pipeline: the test pipeline; what loads annotations is left out of it, and
            ``LoadCheckedImage`` loads the images.
        max_pixels: how many pixels an image may have.
    """

    def __init__(
        self, paths: Sequence[Path], pipeline: Sequence[dict], max_pixels: int = MAX_PIXELS
    ) -> None:
        self.paths = paths
        loading = dict(type='LoadCheckedImage', max_pixels=max_pixels)
        self.pipeline = Compose(
            [
                dict(step, **loading) if str(step['type']).endswith(LOADERS) else step
                for step in pipeline
                if not str(step['type']).endswith('LoadAnnotations')
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        """Return the index and the packed image, or the reason why there is none."""
        path = self.paths[index]
        try:
            str(path).encode()  # a list of images is written as UTF-8
            packed = self.pipeline(dict(img_path=str(path), img_id=index))
        except Exception as error:  # whatever is wrong with one file, the others are read
            return index, failure_line(path, error)
        return index, packed if packed is not None else failure_line(path, OSError('not read'))


def open_detector(
    cfg: Config, checkpoint: Path, device: str | None = None
) -> nn.Module | OnnxDetector:
    """Load a detector from a checkpoint or from a file of ``tools/export_onnx.py``.

    Args:
        cfg: its config.
        checkpoint: a file that ends in ``.onnx``, or whatever :func:`load_detector` takes.
        device: as for :func:`load_detector`; None for a GPU, if there is one.

    Raises:
        InputError: as :func:`load_detector` and :class:`OnnxDetector`.
    """
    if checkpoint.suffix == '.onnx':
        return OnnxDetector(checkpoint)
    return load_detector(cfg, checkpoint, device or get_device())


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
            f'--device {device}: not usable.',
            str(error).splitlines()[0],
            'cpu, or cuda:0 on a machine with a GPU',
            '--device cpu',
        ) from error


@torch.no_grad()
def predict_images(
    model: nn.Module,
    cfg: Config,
    paths: Sequence[Path],
    batch_size: int,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[list[ImageResult]]:
    """Detect the digits of images, batch by batch.

    Images of one size only go through the model together: none is padded to the size of another, so
    what is found in it does not depend on which others are in its batch.

    Args:
        model: the detector, in test mode, or an :class:`OnnxDetector`.
        cfg: its config, for the test pipeline and the number of workers.
        paths: the images.
        batch_size: the most images per forward pass.
        max_pixels: how many pixels an image may have.

    Yields:
        The results of a batch; a file that cannot be read has its reason instead of boxes.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    loader = DataLoader(
        ImageFiles(paths, get_test_pipeline_cfg(cfg), max_pixels),
        batch_size,
        collate_fn=list,
        num_workers=min(cfg.test_dataloader.num_workers, -(-len(paths) // batch_size) - 1),
    )
    for items in loader:
        results, of_size = [], defaultdict(list)
        for index, packed in items:
            if isinstance(packed, str):
                results.append(_unread(index, packed))
            else:
                of_size[packed['inputs'].shape].append((index, packed))
        for same in of_size.values():
            samples = model.test_step(pseudo_collate([packed for _, packed in same]))
            results += [_result(i, s) for (i, _), s in zip(same, samples, strict=True)]
        yield results


def predict_files(
    model: nn.Module | OnnxDetector,
    cfg: Config,
    paths: Sequence[Path],
    batch_size: int,
    max_pixels: int,
    console: Console,
) -> list[ImageResult]:
    """Detect the digits of all images, with a progress bar.

    Args:
        model: as for :func:`predict_images`.
        cfg: its config.
        paths: the images.
        batch_size: the most images per forward pass.
        max_pixels: how many pixels an image may have.
        console: where the progress is shown.

    Returns:
        The results in the order of the images.

    Raises:
        InputError: not one image could be read.
    """
    results = []
    with image_progress(console) as progress:
        task = progress.add_task('predict', total=len(paths))
        for batch in predict_images(model, cfg, paths, batch_size, max_pixels):
            results += batch
            progress.advance(task, len(batch))
    if all(result.error for result in results):
        raise InputError(
            'Not one image could be read.',
            first_ten([result.error for result in results]),
            'at least one complete PNG or JPEG',
            'copy the files again',
        )
    return sorted(results, key=lambda result: result.index)


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
    labels = found.labels.numpy()  # class n is the digit n, see mmdet_digits.coco.categories
    scale = float(min(sample.get('scale_factor', (1.0,))))
    return ImageResult(
        index, found.bboxes.float().numpy(), found.scores.float().numpy(), labels, scale
    )


def _unread(index: int, reason: str) -> ImageResult:
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int)
    return ImageResult(index, *nothing, error=reason)
