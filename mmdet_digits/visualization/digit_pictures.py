"""Pictures of images with their digits, enlarged so that street-number crops can be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import Numbers, Reason
from mmdet_digits.image_reading import MAX_PIXELS, load_image

TRUE = (22, 128, 61)
READ = (29, 78, 216)
DROPPED = (107, 114, 128)
PAPER, INK = (24, 24, 27), (250, 250, 250)

TAG = 15  # font size of a digit's tag in pixels
CAPTION = 18


@dataclass(frozen=True)
class Mark:
    """A box to draw.

    Attributes:
        bbox: xyxy in pixels of the image.
        text: Its tag.
        color: RGB.
        dashed: Whether it is dashed, with its tag below instead of above.
    """

    bbox: Sequence[float]
    text: str
    color: tuple[int, int, int]
    dashed: bool = False


def read_marks(detections: Detections, numbers: Numbers, image: int) -> list[Mark]:
    """Mark the digits of one image that were read, and those that a rule has dropped.

    Detections under the score threshold are left out.

    Args:
        detections: The detections of all images.
        numbers: What became of them.
        image: Which image.
    """
    marks = []
    for n in detections.by_image[image]:
        digit, reason = detections.labels[n], Reason(numbers.reasons[n])
        if reason is Reason.READ:
            marks.append(Mark(detections.bboxes[n], str(digit), READ))
        elif reason is not Reason.LOW_SCORE:
            why = reason.name.lower().replace('_', ' ')
            marks.append(Mark(detections.bboxes[n], f'{digit} {why}', DROPPED, dashed=True))
    return sorted(marks, key=lambda mark: not mark.dashed)  # those that count lie on top


def true_marks(truth: Detections, image: int) -> list[Mark]:
    """Mark the true digits of one image."""
    return [Mark(truth.bboxes[n], str(truth.labels[n]), TRUE) for n in truth.by_image[image]]


def draw_marks(
    image: np.ndarray, marks: Iterable[Mark], size: tuple[int, int] = (640, 240)
) -> Image.Image:
    """Enlarge or reduce an image and draw boxes with tags on it.

    Args:
        image: (H, W, 3) uint8, RGB.
        marks: The boxes.
        size: Width and height into which the image is fitted, in pixels.

    Returns:
        The picture; a margin at the top, and at the bottom where it is needed, has room for tags.
    """
    scale = min(size[0] / image.shape[1], size[1] / image.shape[0])
    width, height = (max(round(side * scale), 1) for side in image.shape[1::-1])
    marks, margin = list(marks), TAG + 5
    below = margin if any(mark.dashed for mark in marks) else 0
    picture = Image.new('RGB', (width, height + margin + below), PAPER)
    resampling = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS
    picture.paste(Image.fromarray(image).resize((width, height), resampling), (0, margin))
    draw = ImageDraw.Draw(picture)
    boxes = [_fit(mark.bbox, scale, (width, height), margin) for mark in marks]
    for box, mark in zip(boxes, marks, strict=True):
        _draw_box(draw, box, mark)
    for box, mark in zip(boxes, marks, strict=True):
        _draw_tag(draw, box, mark, picture.size)
    return picture


def crop_to_marks(
    image: np.ndarray, panels: Sequence[Sequence[Mark]], room: float = 0.8
) -> tuple[np.ndarray, list[list[Mark]]]:
    """Cut out the part of an image that has the boxes, so that small digits can be seen.

    Args:
        image: (H, W, 3) uint8, RGB.
        panels: The boxes of each picture that will be made of it.
        room: What is kept around them, in heights of the highest box.

    Returns:
        The part, and the boxes moved to it. Without a box, all of the image.
    """
    bboxes = np.array([mark.bbox for marks in panels for mark in marks], dtype=float)
    if not len(bboxes):
        return image, [list(marks) for marks in panels]
    space = room * max((bboxes[:, 3] - bboxes[:, 1]).max(), 1.0)
    left, top = np.maximum(bboxes[:, :2].min(axis=0) - space, 0).astype(int)
    right, bottom = np.ceil(bboxes[:, 2:].max(axis=0) + space).astype(int)
    moved = [
        [replace(mark, bbox=np.asarray(mark.bbox) - [left, top, left, top]) for mark in marks]
        for marks in panels
    ]
    return image[top:bottom, left:right], moved


def with_caption(picture: Image.Image, text: str) -> Image.Image:
    """Add a line of text under a picture, which is widened if the text needs it."""
    font = _font(CAPTION)
    width = max(picture.width, int(font.getlength(text)) + 16)
    framed = Image.new('RGB', (width, picture.height + CAPTION + 14), PAPER)
    framed.paste(picture, ((width - picture.width) // 2, 0))
    ImageDraw.Draw(framed).text((8, picture.height + 5), text, INK, font)
    return framed


def side_by_side(pictures: Sequence[Image.Image], gap: int = 8) -> Image.Image:
    """Put pictures next to each other, all at their top."""
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    joined = Image.new('RGB', (width, max(picture.height for picture in pictures)), PAPER)
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        left += picture.width + gap
    return joined


def contact_sheet(pictures: Sequence[Image.Image], columns: int = 3, gap: int = 14) -> Image.Image:
    """Lay pictures out in rows; a row is as high as its highest picture."""
    rows = [pictures[n : n + columns] for n in range(0, len(pictures), columns)]
    column = max(picture.width for picture in pictures) + gap
    heights = [max(picture.height for picture in row) + gap for row in rows]
    count = min(columns, len(pictures))
    sheet = Image.new('RGB', (column * count + gap, sum(heights) + gap), (63, 63, 70))
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for n, picture in enumerate(row):
            sheet.paste(picture, (gap + n * column, top))
        top += height
    return sheet


def load_rgb(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Load an image as the detector sees it, (H, W, 3) uint8, but RGB.

    Raises:
        InputError: it cannot be read.
    """
    return load_image(path, max_pixels)[..., ::-1]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _fit(bbox: Sequence[float], scale: float, size: tuple[int, int], margin: int) -> tuple:
    """Enlarge a box and keep it inside the picture, which begins below the margin."""
    x1, y1, x2, y2 = (float(value) * scale for value in bbox)
    left, top = min(max(x1, 0), size[0] - 1), min(max(y1, 0), size[1] - 1)
    right, bottom = min(max(x2 - 1, left), size[0] - 1), min(max(y2 - 1, top), size[1] - 1)
    return left, top + margin, right, bottom + margin


def _draw_box(draw: ImageDraw.ImageDraw, box: tuple, mark: Mark) -> None:
    x1, y1, x2, y2 = box
    if not mark.dashed:
        draw.rectangle(box, outline=mark.color, width=3)
        return
    for low, high, line in ((x1, x2, ((0, y1), (0, y2))), (y1, y2, ((1, x1), (1, x2)))):
        for start in np.arange(low, high, 10):
            stop = min(start + 5, high)
            for axis, fixed in line:
                ends = [(start, fixed), (stop, fixed)]
                draw.line([end if axis == 0 else end[::-1] for end in ends], mark.color, 2)


def _draw_tag(draw: ImageDraw.ImageDraw, box: tuple, mark: Mark, size: tuple[int, int]) -> None:
    font = _font(TAG if not mark.dashed else TAG - 4)
    width, height = font.getlength(mark.text) + 8, font.size + 4
    left = min(max(box[0], 0), max(size[0] - width, 0))
    top = min(box[3] + 1, size[1] - height) if mark.dashed else max(box[1] - height, 0)
    draw.rectangle((left, top, left + width, top + height), fill=mark.color)
    draw.text((left + 4, top + height / 2), mark.text, INK, font, anchor='lm')
