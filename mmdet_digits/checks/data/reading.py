"""Reading an annotation file, with the place where its syntax breaks."""

from pathlib import Path
from typing import Any

from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.coco.structure import FORMAT
from mmdet_digits.errors import InputError
from mmdet_digits.files import read_json

NAME = 'annotation file'
PACKED = {  # what a file begins with that Python's open() does not read as text
    b'\x1f\x8b': 'gzipped',
    b'\xef\xbb\xbf': 'UTF-8 behind a byte order mark',
    b'\xff\xfe': 'UTF-16',
    b'\xfe\xff': 'UTF-16',
}


def read_annotation_file(path: Path) -> tuple[Any, Check]:
    """Parse a JSON file, plain or gzipped.

    Returns:
        Its content, None where it cannot be read; and how that went. Never raises.
    """
    try:
        content = read_json(path, FORMAT)
        with Path(path).open('rb') as file:
            head = file.read(3)
    except InputError as error:
        where = f'{error.what} {error.found}'
        return None, Check(NAME, Status.FAIL, where, error.expected, error.fix)
    except (OSError, ValueError) as error:  # removed meanwhile, or a path that no system allows
        return None, Check(NAME, Status.FAIL, f'{path}: {error}', FORMAT, 'correct the path')
    packed = [text for start, text in PACKED.items() if head.startswith(start)]
    if packed:
        expected = 'plain JSON in UTF-8, which is all that other COCO tools read'
        fix = 'nothing, unless another tool reads this file'
        return content, Check(NAME, Status.WARN, f'{path}: {packed[0]}', expected, fix)
    return content, Check(NAME, Status.OK, str(path))
