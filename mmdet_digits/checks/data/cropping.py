"""How images are cropped around their numbers, and whether other images are cropped alike.

Those need no labels: what a detector finds in them is enough. One trained on the first images draws
its boxes as theirs are annotated; another may draw them a tenth smaller. All miss small digits more
often than large ones, so that of a difference rather less is found than there is.
"""

from dataclasses import dataclass

import numpy as np

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import NumberAssembly, assemble_numbers
from mmdet_digits.boxes import corners
from mmdet_digits.checks.data.structure import CocoTable
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.repository import tool_command

LARGEST_FACTOR = 1.25  # between quantiles of two sets that are cropped alike
HARDLY_BY_CHANCE = 1.95  # of sqrt(1/n + 1/m), where the distance of equal sources has p = 0.001
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
SHARES = np.round(np.arange(0.1, 1.001, 0.05), 2)


@dataclass(frozen=True, eq=False)
class Crops:
    """How M images lie around their numbers; K of them have one.

    Attributes:
        image_heights: Heights of the images in pixels (M,).
        aspects: Width by height of the images (M,).
        digit_heights: Median height of an image's digits, as a share of the image's height (K,).
        number_widths: Width of the number as a share of the image's width (K,).
        centers_x: Centre of the number as a share of the image's width (K,).
        centers_y: Likewise of its height (K,).
    """

    image_heights: np.ndarray
    aspects: np.ndarray
    digit_heights: np.ndarray
    number_widths: np.ndarray
    centers_x: np.ndarray
    centers_y: np.ndarray

    @property
    def images(self) -> str:
        """Like ``'585 of 600 images'``."""
        return f'{len(self.digit_heights):,} of {len(self.aspects):,} images'


def measure_crops(sizes: np.ndarray, image_rows: np.ndarray, bboxes: np.ndarray) -> Crops:
    """Measure images and their digits.

    Args:
        sizes: Width and height of each image in pixels (M, 2); of one that is not known, 0.
        image_rows: The image of each digit (N,); -1 where there is none.
        bboxes: Their boxes (N, 4), xyxy in pixels. Boxes without size are left out.
    """
    known = (sizes > 0).all(axis=1)
    sound = (image_rows >= 0) & (bboxes[:, 2:] > bboxes[:, :2]).all(axis=1)
    sound &= np.append(known, False)[image_rows]
    order = np.flatnonzero(sound)[np.argsort(image_rows[sound], kind='stable')]
    rows, starts = np.unique(image_rows[order], return_index=True)
    digits = np.split(bboxes[order], starts[1:]) if len(rows) else []
    heights = np.array([np.median(boxes[:, 3] - boxes[:, 1]) for boxes in digits])
    ends = [np.append(boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)) for boxes in digits]
    low, high = np.split(np.reshape(ends, (-1, 4)), 2, axis=1)
    center_x, center_y = ((low + high) / 2 / sizes[rows]).T
    return Crops(
        image_heights=sizes[known, 1],
        aspects=sizes[known, 0] / sizes[known, 1],
        digit_heights=heights / sizes[rows, 1],
        number_widths=(high - low)[:, 0] / sizes[rows, 0],
        centers_x=center_x,
        centers_y=center_y,
    )


def annotated_crops(table: CocoTable) -> Crops:
    """Measure the images of a COCO file by its boxes."""
    single = ~(table.crowd | table.ignored)
    return measure_crops(table.sizes, table.image_rows[single], corners(table.bboxes[single]))


def predicted_crops(sizes: np.ndarray, detections: Detections, assembly: NumberAssembly) -> Crops:
    """Measure images by the digits that their numbers are read from.

    Args:
        sizes: Width and height of each image in pixels (M, 2).
        detections: What was found in them.
        assembly: How it becomes numbers.
    """
    read = assemble_numbers(detections, assembly).positions >= 0
    return measure_crops(sizes, detections.image_index[read], detections.bboxes[read])


def compare_crops(train: Crops, other: Crops) -> list[Check]:
    """Say whether images are cropped as those to learn from.

    Args:
        train: The images to learn from.
        other: Those to be read.
    """
    return [_compare_images(train, other), _compare_digits(train, other)]


def _compare_images(train: Crops, other: Crops) -> Check:
    """Compare shape and size of the images."""
    name = 'shape of the images'
    found = (
        f'median (5 to 95 %): {_range(other.aspects)} times as wide as high, train '
        f'{_range(train.aspects)}; {_range(other.image_heights, ".0f")} px high, train '
        f'{_range(train.image_heights, ".0f")}'
    )
    if not differ(train.aspects, other.aspects):
        return Check(name, Status.OK, found)
    expected = 'images of one shape: others fill less of the canvas, and their digits are smaller'
    fix = 'choose the scale of the config for both, and train on images of both shapes'
    return Check(name, Status.WARN, found, expected, fix)


def _compare_digits(train: Crops, other: Crops) -> Check:
    """Compare size and place of the digits in the images."""
    name = 'size and place of the digits'
    if not len(train.digit_heights) or not len(other.digit_heights):
        found = f'digits in {train.images} of train, and in {other.images} to be read'
        fix = f'{tool_command("predict")} CONFIG CHECKPOINT IMAGES --out DIR, then --predictions'
        return Check(name, Status.WARN, found, 'digits to compare', fix)
    found = (
        f'digits are {size_factor(train, other):.2f} times as high as in train, in {other.images}; '
        f'median (5 to 95 %): {_range(other.digit_heights)} of the height, train '
        f'{_range(train.digit_heights)}; centre of the number at {_range(other.centers_x)} of the '
        f'width, train {_range(train.centers_x)}'
    )
    if not differ(train.digit_heights, other.digit_heights):
        return Check(name, Status.OK, found)
    expected = 'images cropped as those of train; a split of train says little about others'
    low, high = zoom_out_share(train.digit_heights, other.digit_heights)
    fix = (
        f'train with RandomZoomOut, share=({low:g}, {high:g}), as frcnn_tiny_384.py does, and '
        f'validate on scenes as wide: {tool_command("prepare_data")} loose SRC --out OUT '
        f'--share {low:g} {high:g}'
    )
    if low == 1:
        fix = 'train and validate on parts of the images, cut out as closely around the numbers'
    return Check(name, Status.WARN, found, expected, fix)


def size_factor(train: Crops, other: Crops) -> float:
    """How much of the height digits take, as a multiple of what they do in train: of medians."""
    return float(np.median(other.digit_heights) / np.median(train.digit_heights))


def differ(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two samples, (N,) and (M,) above 0, differ hardly by chance, and enough to matter.

    That is: by the Kolmogorov-Smirnov test at its asymptotic level of p = 0.001, and by more than
    ``LARGEST_FACTOR`` at their 5, 50 or 95 % quantiles. Nothing differs from an empty sample.
    """
    if not len(first) or not len(second):
        return False
    chance = HARDLY_BY_CHANCE * np.sqrt(1 / len(first) + 1 / len(second))
    quantiles = [np.log(np.quantile(values, (0.05, 0.5, 0.95))) for values in (first, second)]
    factor = np.exp(np.abs(quantiles[0] - quantiles[1]).max())
    return bool(factor > LARGEST_FACTOR and distribution_distance(first, second) > chance)


def distribution_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference of two samples' cumulative distributions (Kolmogorov-Smirnov)."""
    values = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(v), values, side='right') / len(v) for v in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def zoom_out_share(train: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The range of ``RandomZoomOut`` that makes digits as large as they are in other images.

    Of all ranges in steps of 0.05 the one by which the 5, 25, 50, 75 and 95 % quantiles of the
    heights differ least, as squares of logarithms, when shares are drawn evenly from it.

    Args:
        train: Digit heights as shares of the image's (N,), N >= 1.
        other: Likewise (M,), M >= 1.

    Returns:
        The least and the largest height of an image as a share of its scene's; 1 and 1 where
        nothing is to be made smaller.
    """
    typical = np.quantile(train, np.linspace(0.005, 0.995, 100))
    wished = np.log(np.quantile(other, LEVELS))

    def misfit(low: float, high: float) -> float:
        heights = np.outer(typical, np.linspace(low, high, 21))
        return float(np.square(np.log(np.quantile(heights, LEVELS)) - wished).sum())

    ranges = [(float(low), float(high)) for low in SHARES for high in SHARES if low <= high]
    return min(ranges, key=lambda limits: misfit(*limits))


def _range(values: np.ndarray, form: str = '.2f') -> str:
    """The median, and where 5 to 95 % lie: ``'0.67 (0.36 to 0.86)'``."""
    if not len(values):
        return 'unknown'
    low, middle, high = (format(q, form) for q in np.quantile(values, (0.05, 0.5, 0.95)))
    return f'{middle} ({low} to {high})'
