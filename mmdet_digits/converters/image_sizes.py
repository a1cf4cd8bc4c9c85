"""Where the width and the height of an image come from."""

from pathlib import Path

from mmdet_digits.converters.records import DigitRecord
from mmdet_digits.errors import InputError
from mmdet_digits.files import read_json
from mmdet_digits.image_reading import open_image, read_header, shown_size

FORMAT = 'a COCO file, or {"1.png": [width, height], ...} in pixels'
FIX = 'correct the file, or give --images to have the images opened'


class ImageSizes:
    """Finds the size of a record's image: in a table, in the image, or in the annotation itself.

    Args:
        folder: folder of the images, or None.
        table: ``(width, height)`` per file name, or None. Where it is given no image is opened.
    """

    def __init__(self, folder: Path | None = None, table: dict | None = None) -> None:
        self.folder = folder
        self.table = table

    def __call__(self, record: DigitRecord) -> tuple[int, int]:
        """Give ``(width, height)``.

        Raises:
            InputError: it is not known, the image cannot be read, or it is not as the annotation
                says.
        """
        size = self._look_up(record)
        if size is None:
            why = 'give --images with its folder, or --sizes'
            if self.table is not None:
                why = 'it is not in the table of sizes'
            raise InputError(f'{record.where}: the size of {record.file_name} is not known: {why}.')
        if record.size is not None and tuple(size) != tuple(record.size):
            raise InputError(
                f'{record.where}: the image is {size[0]} x {size[1]} px, the annotation says '
                f'{record.size[0]} x {record.size[1]}.'
            )
        return size

    def _look_up(self, record: DigitRecord) -> tuple[int, int] | None:
        if self.table is not None:
            return self.table.get(record.file_name, record.size)
        if self.folder is None:
            return record.size
        path = self.folder / record.file_name
        if not path.is_file():
            raise InputError(f'{record.where}: {path} is not there (see --images, --sizes).')
        return image_size(path)


def image_size(path: Path) -> tuple[int, int]:
    """Read ``(width, height)`` of an image, turned as OpenCV turns it; hardly ever are pixels read.

    Raises:
        InputError: it is no image.
    """
    try:
        with open_image(path) as file:
            return shown_size(path, read_header(file))
    except Exception as error:  # Pillow raises nearly anything for a damaged file
        found = getattr(error, 'strerror', None) or f'{type(error).__name__}: {error}'
        raise InputError(f'{path}: not readable as an image ({found}).') from error


def read_sizes(path: Path) -> dict[str, tuple[int, int]]:
    """Read a table of sizes: a COCO file, or ``{"1.png": [width, height]}``; may be gzipped.

    Raises:
        InputError: it is neither.
    """
    content = read_json(path, FORMAT)
    try:
        if isinstance(content.get('images'), list):
            content = {im['file_name']: (im['width'], im['height']) for im in content['images']}
        table = {str(name): (int(width), int(height)) for name, (width, height) in content.items()}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        found = f'{type(error).__name__}: {error}'
        raise InputError(f'{path}: no table of sizes.', found, FORMAT, FIX) from error
    wrong = [name for name, size in table.items() if min(size) <= 0]
    if wrong:
        width, height = table[wrong[0]]
        raise InputError(
            f'{path}: sizes that no image has.', f'{wrong[0]} is {width} x {height} px', FORMAT, FIX
        )
    return table
