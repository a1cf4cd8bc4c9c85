"""Numbers out of images in three lines of Python; needs numpy, OpenCV, Pillow and ONNX Runtime."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import compress, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmdet_digits.assembly.crops import Found, moved
from mmdet_digits.assembly.number_assembly import NumberAssembly, resolve_assembly
from mmdet_digits.assembly.tiles import best_of, is_large, lies_whole, plan_tiles
from mmdet_digits.deploy.image_detector import ImageDetector
from mmdet_digits.deploy.onnx_graph import OnnxGraph
from mmdet_digits.errors import InputError
from mmdet_digits.reader.number_reading import NumberReading, make_reading, make_readings
from mmdet_digits.reader.sources import open_source
from mmdet_digits.repository import REPOSITORY

if TYPE_CHECKING:
    from mmdet_digits.deploy.model_detector import ModelDetector

Reading = NumberReading | list[NumberReading]
MOST_NUMBERS = 8  # of an image that are read again
RELEASED = {'svhn': 'frcnn_tiny_weak.onnx', 'synthetic': 'frcnn_tiny_synthetic_256.onnx'}
"""The weights that come along, by name; ``models/README.md`` has their cards and licences."""


class NumberReader:
    """Reads the number in an image.

    >>> reader = NumberReader()
    >>> reader('photo.jpg').number
    '7140'

    Each image should be one close crop of one number, or of several with ``numbers='all'``. One of
    over four times the width or height of the network's input, such as a photo of a street, is read
    in overlapping parts, and of its numbers the surest is given. What is read in an image depends
    on that image alone, not on others read with it.

    Args:
        weights: ``'svhn'``, trained on SVHN photographs, which are for non-commercial use;
            ``'synthetic'``, trained on synthetic images only; a file of ``tools/export_onnx.py``;
            or, with ``config``, a checkpoint of ``tools/train.py`` (.pth or .safetensors), which
            needs torch and mmdet.
        config: the config of that checkpoint.
        assembly: how digits become a number: a preset, fields of :class:`NumberAssembly` laid over
            those that the weights come with, or all of it. None for those.
        numbers: ``'one'``, or ``'all'``: digits are grouped into numbers by their distances, and an
            image gives a list of readings.
        threads: how many the network may use; None for as many as there are cores.

    Raises:
        InputError: the weights are not there, or are none of these.
        ValueError: there is no such preset or field of the assembly, or ``numbers`` is neither.
    """

    def __init__(
        self,
        weights: str | Path = 'svhn',
        config: str | Path | None = None,
        assembly: str | Mapping | NumberAssembly | None = None,
        numbers: str = 'one',
        threads: int | None = None,
    ) -> None:
        if numbers not in ('one', 'all'):
            raise ValueError(f"numbers: expected 'one' or 'all', found {numbers!r}")
        self._read = make_readings if numbers == 'all' else make_reading
        most = MOST_NUMBERS if numbers == 'all' else None
        self.weights = (
            REPOSITORY / 'models' / RELEASED[weights] if weights in RELEASED else Path(weights)
        )
        self.detector = open_weights(self.weights, config, threads, most)
        if isinstance(assembly, Mapping) and 'preset' not in assembly:
            assembly = {**self.detector.assembly, **assembly}
        self.assembly = resolve_assembly(self.detector.assembly if assembly is None else assembly)

    def __call__(self, source: Any) -> Reading | list[Reading]:
        """Read an image, or each of a list of images.

        Args:
            source: a path, the bytes of an image file, a Pillow image, an array (H, W, 3) uint8,
                BGR as OpenCV has it; or a list or tuple of these.

        Raises:
            InputError: an image cannot be read.
        """
        if isinstance(source, list | tuple):
            return list(self.stream(source))
        return next(self.stream([source]))

    def stream(self, sources: Iterable[Any], batch_size: int = 16) -> Iterator[Reading]:
        """Read images one after the other, however many there are.

        Args:
            sources: see :meth:`__call__`; taken as they are needed.
            batch_size: how many go through the network together.

        Yields:
            A reading per image, in their order.

        Raises:
            InputError: an image cannot be read.
        """
        sources = iter(sources)
        while batch := [open_source(source) for source in islice(sources, batch_size)]:
            yield from self.read_images(*zip(*batch, strict=True))

    def read_images(
        self, images: Iterable[np.ndarray], names: Iterable[str | None]
    ) -> list[Reading]:
        """Read images that are loaded, together.

        Args:
            images: (H, W, 3) uint8 each, BGR.
            names: their sources.
        """
        images = list(images)
        sizes = [image.shape[1::-1] for image in images]
        small = [not is_large(size, self.detector.canvas) for size in sizes]
        found = iter(self.detector.detect(list(compress(images, small))))
        return [
            self._read(*next(found), self.assembly, name, image)
            if whole
            else self._read_large(image, name)
            for whole, image, name in zip(small, images, names, strict=True)
        ]

    def _read_large(self, image: np.ndarray, name: str | None) -> Reading:
        """Read an image in parts, and of its numbers the surest, unless all are wanted."""
        found = detect_in_tiles(image, self.detector)
        return self._read(*found, replace(self.assembly, one_group=True), name, image)


def detect_in_tiles(
    image: np.ndarray, detector: 'ImageDetector | ModelDetector', batch_size: int = 16
) -> Found:
    """Detect small digits in a large image.

    Args:
        image: (H, W, 3) uint8, BGR.
        detector: on parts of it.
        batch_size: how many parts go through the network together.

    Returns:
        Boxes (N, 4), scores (N,) and labels (N,), each digit once, by falling score.
    """
    size = image.shape[1::-1]
    tiles, parts = plan_tiles(size, detector.canvas), []
    for start in range(0, len(tiles), batch_size):
        batch = tiles[start : start + batch_size]
        cut = [np.ascontiguousarray(image[y1:y2, x1:x2]) for x1, y1, x2, y2 in batch]
        for tile, found in zip(batch, detector.detect(cut), strict=True):
            found = moved(found, tile[:2])
            whole = lies_whole(found[0], tile, size)
            parts.append([part[whole] for part in found])
    bboxes, scores, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    best = best_of(bboxes, scores)
    return bboxes[best], scores[best], labels[best]


def open_weights(
    path: Path, config: str | Path | None, threads: int | None, most: int | None
) -> 'ImageDetector | ModelDetector':
    """What finds digits: has ``detect``, images to boxes, and ``assembly``.

    Args:
        path: the file of the weights.
        config: see :class:`NumberReader`.
        threads: see :class:`NumberReader`.
        most: see :class:`ImageDetector`.

    Raises:
        InputError: see :class:`NumberReader`.
    """
    if config is not None:
        from mmdet_digits.deploy.model_detector import ModelDetector  # needs torch and mmdet

        return ModelDetector(config, path, most)
    if path.suffix != '.onnx':
        raise InputError(
            f'{path}: cannot be read without its config.',
            f'a name that ends in {path.suffix or "nothing"}',
            f'{", ".join(RELEASED)}, a file that ends in .onnx, or a checkpoint with its config',
            "NumberReader('best.pth', config='configs/digits/frcnn_tiny.py')",
        )
    if not path.is_file():
        raise InputError(
            f'{path}: no such weights.',
            'nothing of that name',
            f'{", ".join(RELEASED)}, or a file of tools/export_onnx.py',
            'correct the path',
        )
    return ImageDetector(OnnxGraph(path, threads), most)
