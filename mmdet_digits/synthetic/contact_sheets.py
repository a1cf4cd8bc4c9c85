"""Many scenes in one picture, to look at."""

from pathlib import Path

import cv2
import numpy as np

from mmdet_digits.files import write_file
from mmdet_digits.synthetic.scenes import Scene

CELL = (150, 100)  # width and height of a cell in pixels


def contact_sheet(scenes: list[Scene], columns: int = 10, boxes: bool = False) -> np.ndarray:
    """Lay scenes out in rows, each enlarged or reduced to its cell.

    Args:
        scenes: What to show.
        columns: Cells per row.
        boxes: Draw the boxes.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    width, height = CELL
    rows = -(-len(scenes) // columns)
    sheet = np.full((rows * height, columns * width, 3), 40, np.uint8)
    for index, scene in enumerate(scenes):
        row, column = divmod(index, columns)
        scale = min((width - 4) / scene.image.shape[1], (height - 4) / scene.image.shape[0])
        interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        tile = cv2.resize(scene.image, None, fx=scale, fy=scale, interpolation=interpolation)
        if boxes:
            for x, y, w, h in np.round(scene.bboxes * scale).astype(int):
                cv2.rectangle(tile, (x, y), (x + w - 1, y + h - 1), (0, 255, 0), 1)
        y, x = row * height, column * width
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def write_contact_sheet(path: Path, scenes: list[Scene], boxes: bool = False) -> None:
    """Write `contact_sheet` as a PNG, whatever the file's ending."""
    _, data = cv2.imencode('.png', contact_sheet(scenes, boxes=boxes))
    write_file(path, data.tobytes())
