"""Pascal VOC's XML files, one per image.

In VOC the first pixel is 1 and ``xmax ymax`` are the last pixels that belong to the box: a box that
covers the whole of a 100 x 50 image is 1, 1, 100, 50. Tools that write the format often mean
something else; `VocFolder` has a switch for each of the two conventions.
"""

import math
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

from mmdet_digits.coco.folders import describe
from mmdet_digits.converters.records import (
    DigitRecord,
    DigitRecords,
    digit_of,
    make_record,
    shown,
)
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_folder, natural_key

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


class VocFolder(DigitRecords):
    """The records of a folder of XML files. Objects marked difficult are taken as any other.

    Args:
        folder: folder of the XML files.
        offset: subtracted from ``xmin ymin``: 1 where pixels count from 1, as in VOC.
        inclusive: whether ``xmax ymax`` belong to the box, as in VOC: its width is then
            ``xmax - xmin + 1``, otherwise ``xmax - xmin``.

    Raises:
        InputError: there is no XML file.
    """

    def __init__(self, folder: Path, offset: float = 1, inclusive: bool = True) -> None:
        self.offset, self.extra = offset, int(inclusive)
        check_folder(folder, 'the folder of the XML files')
        found = (path for path in Path(folder).iterdir() if path.suffix.lower() == '.xml')
        self._paths = sorted(found, key=natural_key)
        if not self._paths:
            raise InputError(
                f'{folder}: no XML file in it.',
                describe(Path(folder)),
                'one .xml file per image',
                'give the folder that holds them',
            )

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> DigitRecord:
        """Read one record.

        Raises:
            InputError: it is wrong; the message names it and the object.
        """
        path = self._paths[index]
        try:
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
            raise InputError(f'{path}: not readable as XML ({error}).') from error
        name = PureWindowsPath(_text(root, 'filename', str(path))).name
        digits, boxes, others = [], [], []
        for number, item in enumerate(root.findall('object'), 1):
            where = f'{path}, object {number}'
            label = _text(item, 'name', where)
            digit = digit_of(label)
            if digit is None:
                others.append(label)
                continue
            x0, y0, x1, y1 = (_number(item, f'bndbox/{corner}', where) for corner in CORNERS)
            x, y = x0 - self.offset, y0 - self.offset
            boxes.append([x, y, x1 - x0 + self.extra, y1 - y0 + self.extra])
            digits.append(digit)
        return make_record(name, boxes, digits, str(path), _size(root, str(path)), others)


def _size(root: ElementTree.Element, where: str) -> tuple[int, int] | None:
    """``(width, height)``; None where the file does not say, or says 0 as some tools do."""
    if root.find('size') is None:
        return None
    width, height = (int(_number(root, f'size/{side}', where)) for side in ('width', 'height'))
    return (width, height) if width > 0 and height > 0 else None


def _text(node: ElementTree.Element, tag: str, where: str) -> str:
    text = (node.findtext(tag) or '').strip()
    if not text:
        raise InputError(f'{where}: lacks {tag}.')
    return text


def _number(node: ElementTree.Element, tag: str, where: str) -> float:
    text = _text(node, tag, where)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f'{where}: {tag} is {shown(text)}, expected a number.')
    return number
