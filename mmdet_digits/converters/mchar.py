"""The annotations of Tianchi's street-view character recognition: mchar_train.json and the like.

Its images are SVHN's under new names, and its first nine lists of boxes are SVHN's own (000000.png
is SVHN's 1.png, and so on), so its boxes count pixels from 1. Its labels are the digits 0..9.
"""

from pathlib import Path

import numpy as np

from mmdet_digits.converters.records import DigitRecord, DigitRecords, make_record, shown
from mmdet_digits.errors import InputError
from mmdet_digits.files import read_json

FORMAT = '{"000000.png": {"height": [..], "label": [..], ..}, ..}'
FIELDS = ('left', 'top', 'width', 'height', 'label')


class McharFile(DigitRecords):
    """The records of a file ``{"000000.png": {"height": [..], "label": [..], ...}, ...}``.

    Args:
        path: the JSON file.
        offset: subtracted from left and top: 1 for pixels that count from 1.

    Raises:
        InputError: it is no such file.
    """

    def __init__(self, path: Path, offset: float = 1) -> None:
        self.path, self.offset = Path(path), offset
        content = read_json(path, FORMAT)
        if not isinstance(content, dict) or not content or 'images' in content:
            found = ', '.join(list(content)[:3]) if isinstance(content, dict) else repr(content)
            raise InputError(
                f'{path}: not a file of that data set.',
                found[:80] or 'an empty object',
                FORMAT,
                'give mchar_train.json or mchar_val.json',
            )
        self._items = list(content.items())

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> DigitRecord:
        """Read one record.

        Raises:
            InputError: it is wrong; the message names it.
        """
        name, value = self._items[index]
        where = f'{self.path.name}, {shown(name)}'
        try:
            columns = [np.array(value[field], float).ravel() for field in FIELDS]
        except KeyError as error:
            raise InputError(f'{where}: lacks {error}; found {", ".join(value)}.') from error
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f'{where}: expected lists of numbers ({error}).') from error
        if len(set(map(len, columns))) != 1:
            counts = ', '.join(f'{f} {len(c)}' for f, c in zip(FIELDS, columns, strict=True))
            raise InputError(f'{where}: lists of different lengths: {counts}.')
        left, top, width, height, label = columns
        boxes = np.stack([left - self.offset, top - self.offset, width, height], axis=1)
        return make_record(name, boxes, label, where)
