"""The gallery of wrongly read numbers, as one picture and as one page that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mmdet_digits.assembly.digit_confusion import confusion_rates, most_confused
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.coco.structure import name_problem, unusable_name
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.number_errors import NumberErrors
from mmdet_digits.files import write_image
from mmdet_digits.visualization.digit_pictures import (
    contact_sheet,
    crop_to_marks,
    draw_marks,
    load_rgb,
    read_marks,
    side_by_side,
    true_marks,
    with_caption,
)
from mmdet_digits.visualization.pages import render

PANEL = (300, 150)  # room for one enlarged image in pixels

KINDS = {
    'too_short': 'numbers with too few digits',
    'too_long': 'numbers with too many digits',
    'wrong_digit': 'numbers with as many digits, but wrong',
    'missed': 'digits missed',
    'extra': 'digits too many',
    'confused': 'digits taken for another',
    'order': 'edits in numbers read in another order',
}


@dataclass(frozen=True)
class Tile:
    """One wrongly read image.

    Attributes:
        name: Its file name.
        true: The true number.
        read: The number read.
        confidence: Confidence of the latter.
        distance: Edits between the two.
        picture: True boxes on the left, read ones on the right.
    """

    name: str
    true: str
    read: str
    confidence: float
    distance: int
    picture: Image.Image

    @property
    def caption(self) -> str:
        """What stands under it."""
        return f'{self.name}: true {self.true}, read {self.read} ({self.confidence:.2f})'


def make_tiles(
    errors: NumberErrors, annotations: Annotations, folder: Path | str, limit: int
) -> list[Tile]:
    """Draw the worst images.

    Args:
        errors: The errors.
        annotations: The true digits.
        folder: Where the images are.
        limit: How many at most.

    Raises:
        InputError: an image is not there, cannot be decoded or has another size.
    """
    tiles = []
    for image in errors.worst(limit):
        name = annotations.file_names[image]
        if name_problem(name):
            raise unusable_name(name, annotations.source)
        pixels = _load(Path(folder, name), annotations, image)
        panels = (
            true_marks(annotations.truth, image),
            read_marks(errors.detections, errors.numbers, image),
        )
        cut, moved = crop_to_marks(pixels, panels)
        if cut.size:  # not where all the boxes lie outside
            pixels, panels = cut, moved
        tiles.append(
            Tile(
                annotations.file_names[image],
                str(errors.truth[image]),
                str(errors.numbers.strings[image]),
                float(errors.numbers.confidences[image]),
                int(errors.distances[image]),
                side_by_side([draw_marks(pixels, marks, PANEL) for marks in panels]),
            )
        )
    return tiles


def save_gallery(path: Path | str, tiles: Sequence[Tile]) -> None:
    """Write all tiles as one PNG."""
    write_image(path, contact_sheet([with_caption(tile.picture, tile.caption) for tile in tiles]))


def error_page(errors: NumberErrors, tiles: Sequence[Tile], facts: dict[str, str]) -> str:
    """Write the HTML page; its pictures are inside it.

    Args:
        errors: The errors.
        tiles: The worst images.
        facts: What was compared, by name.
    """
    wrong = int((errors.distances > 0).sum())
    scores = errors.scores
    figures = {
        'numbers right': f'{100 * scores["accuracy"]:.1f} %',
        'numbers wrong': f'{wrong:,} of {len(errors.truth):,}',
        'digit error rate': f'{100 * scores["digit_error_rate"]:.1f} %',
        'kept at 98 % accuracy': f'{100 * scores["coverage_at_98"]:.1f} %',
    }
    counts, rates = errors.confusion.tolist(), confusion_rates(errors.confusion).tolist()
    return render(
        'error_report.html.jinja',
        facts=facts,
        figures=figures,
        kinds={text: scores[key] for key, text in KINDS.items()},
        pairs=most_confused(errors.confusion),
        columns=(*DIGITS, 'missed'),
        confusion={
            name: list(zip(*row, strict=True))
            for name, *row in zip((*DIGITS, 'extra'), counts, rates, strict=True)
        },
        wrong=wrong,
        tiles=tiles,
    )


def _load(path: Path, annotations: Annotations, image: int) -> np.ndarray:
    width, height = annotations.sizes[image].astype(int)
    try:
        pixels = load_rgb(path)
    except InputError as error:
        cause, found = error, error.found
    else:
        if pixels.shape[:2] == (height, width):
            return pixels
        cause, found = None, f'{pixels.shape[1]} x {pixels.shape[0]} px'
    raise InputError(
        f'{path}: cannot be drawn.',
        found,
        f'the image of that name in {annotations.source}, {width} x {height} px',
        'give the folder of its images by --images',
    ) from cause
