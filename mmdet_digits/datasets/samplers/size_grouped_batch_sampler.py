"""Batches of images that need little padding to become one tensor."""

import copy
import math
from collections.abc import Iterator, Sequence
from functools import cache

import cv2
import numpy as np
from mmcv.transforms import Resize
from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import ConcatDataset, DefaultSampler, RepeatDataset
from torch.utils.data import BatchSampler

from mmdet_digits.utils.errors import InputError

LEAST_WINDOWS = 4  # in an epoch: one sorted as a whole would have the same batches each time
LARGEST_SIDE = 2**15 - 1  # pixels; an entry that claims more is wrong, as loading its image tells


@DATA_SAMPLERS.register_module()
class SizeGroupedBatchSampler(BatchSampler):
    """Batches of images that are about equally large after their ``Resize``.

    The shuffled epoch is cut into windows of some batches. Each window is sorted by size, so that
    neighbours make a batch, and the batches of the epoch are shuffled. Seed and epoch of the
    sampler decide it all; with several processes, each takes its part of every batch, so that
    together they train the batches of one process.

    mmdet's ``AspectRatioBatchSampler`` only keeps upright images apart from the others, which
    street numbers seldom are.

    Args:
        sampler: MMEngine's ``DefaultSampler``.
        batch_size: images per batch and process.
        drop_last: leave out what does not fill a batch, other images each epoch.
        window: batches that are sorted together; 1 leaves them random. A short epoch has smaller
            windows, at least four.

    Raises:
        InputError: the sampler is another one, or the sizes of the images are not known.
    """

    def __init__(
        self,
        sampler: DefaultSampler,
        batch_size: int,
        drop_last: bool = False,
        window: int = 32,
    ) -> None:
        if not isinstance(sampler, DefaultSampler):
            raise cannot_group(f'train_dataloader.sampler.type={type(sampler).__name__!r}')
        super().__init__(sampler, batch_size, drop_last)
        self.window = window
        self.shapes = resized_shapes(sampler.dataset)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the indices of each batch of the sampler's epoch."""
        sampler = self.sampler
        everything = copy.copy(sampler)
        everything.rank, everything.world_size = 0, 1
        order, step = list(everything), self.batch_size * sampler.world_size
        if self.drop_last:
            order = order[: len(order) // step * step]
        batches = group_by_size(order, self.shapes, step, self.window)
        if sampler.shuffle:
            np.random.default_rng((sampler.seed, sampler.epoch)).shuffle(batches)
        for batch in batches:
            yield batch[sampler.rank :: sampler.world_size]


def group_by_size(
    order: Sequence[int], shapes: Sequence[tuple[int, int]], batch_size: int, window: int
) -> list[list[int]]:
    """Make batches of images of alike size from a random order.

    Args:
        order: indices of images; one that is there twice stays so.
        shapes: (height, width) of every image.
        batch_size: images per batch; the last batch of the last window may have fewer.
        window: batches that are sorted together, fewer where ``order`` is short.
    """
    window = max(1, min(window, math.ceil(len(order) / batch_size) // LEAST_WINDOWS))
    ordered = []
    for start in range(0, len(order), window * batch_size):
        ordered += sorted(order[start : start + window * batch_size], key=shapes.__getitem__)
    return [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]


def resized_shapes(dataset) -> list[tuple[int, int]]:
    """The (height, width) of every image after each ``Resize`` of its pipeline.

    The sizes of the annotations are resized, no image is loaded. Other steps, such as a resize to a
    random scale, are passed over.

    Args:
        dataset: of MMEngine, also inside ``ConcatDataset`` and ``RepeatDataset``.

    Raises:
        InputError: it is wrapped in something else, or does not know the sizes.
    """
    if isinstance(dataset, ConcatDataset):
        return [shape for part in dataset.datasets for shape in resized_shapes(part)]
    if isinstance(dataset, RepeatDataset):
        return resized_shapes(dataset.dataset) * dataset.times
    if not hasattr(getattr(dataset, 'pipeline', None), 'transforms'):
        raise cannot_group(f'a {type(dataset).__name__}, which has no pipeline')
    resizes = [step for step in dataset.pipeline.transforms if isinstance(step, Resize)]

    @cache
    def resized(*shape: int) -> tuple[int, int]:
        results = dict(img=np.zeros(shape, dtype=np.uint8), img_shape=shape)
        try:
            for resize in resizes:
                results = resize(results)
        except cv2.error:  # too narrow for a side of 1 px: whoever loads it is told
            return shape
        return results['img_shape'][:2]

    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if not all('height' in info and 'width' in info for info in infos):
        raise cannot_group(f'a {type(dataset).__name__}, which loads images of unknown size')
    sides = ('height', 'width')
    return [resized(*(min(info[side], LARGEST_SIDE) for side in sides)) for info in infos]


def cannot_group(found: str) -> InputError:
    """What to say where images cannot be grouped by size."""
    return InputError(
        'SizeGroupedBatchSampler cannot group these images.',
        found,
        "sampler=dict(type='DefaultSampler'), and a data set with width and height of each image",
        'train_dataloader.batch_sampler=None takes batches as they come',
    )
