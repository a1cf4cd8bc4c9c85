"""What to say about a batch of images that something went wrong with."""

import math
from collections.abc import Sequence

from mmdet.structures import DetDataSample

SHOWN = 8


def image_list(samples: Sequence[DetDataSample]) -> str:
    """The ids and paths of the images of a batch, the first eight by name."""
    names = [f'{s.get("img_id")} ({s.get("img_path")})' for s in samples[:SHOWN]]
    more = len(samples) - len(names)
    return ', '.join(names) + (f' and {more} more' if more else '')


def size_report(batch: dict, divisor: int = 1) -> str:
    """Say how large a batch is: its images, what they are padded to, the largest, their boxes.

    Args:
        batch: ``inputs``, each (C, H, W), and ``data_samples``.
        divisor: sides are padded to multiples of this.
    """
    shapes = [tuple(image.shape[-2:]) for image in batch['inputs']]
    height, width = padded_shape(shapes, divisor)
    largest = max(range(len(shapes)), key=lambda i: math.prod(shapes[i]))
    sample = batch['data_samples'][largest]
    boxes = sum(len(s.gt_instances) for s in batch['data_samples'] if 'gt_instances' in s)
    return (
        f'{len(shapes)} images in a batch, padded to {width} x {height} (width x height); the '
        f'largest is {shapes[largest][1]} x {shapes[largest][0]} ({sample.get("img_path")}); '
        f'{boxes} boxes'
    )


def padded_shape(shapes: Sequence[tuple[int, int]], divisor: int) -> tuple[int, int]:
    """The (height, width) to which images of these sizes are padded to make one batch."""
    height, width = (max(sides) for sides in zip(*shapes, strict=True))
    return math.ceil(height / divisor) * divisor, math.ceil(width / divisor) * divisor


def next_batch_size(batch_size: int) -> int | None:
    """The batch size to try after one that did not fit, or None if there is no smaller one.

    Half, which needs about half of the memory beyond that of the model itself.
    """
    return batch_size // 2 or None
