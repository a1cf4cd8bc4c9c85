"""What every COCO file of digits has to be before anything in it can be relied on."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import read_json

FORMAT = 'a COCO file with images, annotations and categories, as shown in data/README.md'
FIELDS = {
    'images': ('id', 'file_name', 'width', 'height'),
    'annotations': ('id', 'image_id', 'category_id'),
    'categories': ('id', 'name'),
}
FIX = 'correct the file, or convert the data again'
EXPECTED = {
    'images': 'id (a whole number, there once), file_name, width and height in pixels',
    'annotations': 'id (a whole number, there once), image_id of an image, category_id of a '
    'category, and bbox [x, y, w, h] in pixels',
    'categories': 'id (a whole number, there once) and name',
}
MOST_SHOWN = 3
LARGEST = 2**53  # beyond it, neighbouring whole numbers are the same as floats


def read_coco(path: Path | str, lists: Sequence[str] = tuple(FIELDS), bboxes: bool = True) -> dict:
    """Read a COCO file, gzipped or not, and check it as :func:`check_structure` does."""
    coco = read_json(path, FORMAT)
    check_structure(coco, path, lists, bboxes)
    return coco


def check_structure(
    coco: Any, path: Path | str, lists: Sequence[str] = tuple(FIELDS), bboxes: bool = True
) -> None:
    """Check that a COCO file has the fields that are read from it, of the right types.

    Ids have to be there once and to lead somewhere. Whether sizes and boxes are plausible is not
    checked here.

    Args:
        coco: what the file holds.
        path: its path, for the message.
        lists: those of its lists that are needed.
        bboxes: also check that each bbox is there and is four numbers.

    Raises:
        InputError: a list is missing, or entries are wrong; the message shows the first of them.
    """
    content = coco if isinstance(coco, dict) else {}
    missing = [name for name in lists if not isinstance(content.get(name), list)]
    if missing:
        raise InputError(
            f'{path}: lacks {", ".join(missing)}.',
            ', '.join(map(str, content)) or f'a {type(coco).__name__}',
            FORMAT,
            'give the annotation file, or convert the data again',
        )
    for name in lists:
        problems = list(_problems(name, coco, bboxes))
        if problems:
            more = len(problems) - MOST_SHOWN
            shown = problems[:MOST_SHOWN] + [f'and {more:,} more'] * (more > 0)
            raise InputError(
                f'{path}: {name} that are not what they should be.',
                '\n            '.join(shown),
                EXPECTED[name],
                FIX,
            )


def _problems(name: str, coco: dict, bboxes: bool) -> Iterator[str]:
    """Say of each wrong entry of a list what is wrong with it."""
    images, categories = (_ids(coco.get(key)) for key in ('images', 'categories'))
    check = {
        'images': _image_problem,
        'annotations': lambda box: _box_problem(box, images, categories, bboxes),
        'categories': _category_problem,
    }[name]
    seen = set()
    for index, entry in enumerate(coco[name]):
        problem = _problem(entry, FIELDS[name], seen, check)
        if problem:
            yield f'{name}[{index}]: {problem}: {shortened(entry)}'
        else:
            seen.add(entry['id'])


def _problem(
    entry: Any, fields: Sequence[str], seen: set, check: Callable[[dict], str | None]
) -> str | None:
    if not isinstance(entry, dict):
        return f'a {type(entry).__name__}'
    missing = [key for key in fields if key not in entry]
    if missing:
        return f'no {", ".join(missing)}'
    if not is_id(entry['id']):
        return f'id {entry["id"]!r}, not a whole number'
    if entry['id'] in seen:
        return f'id {entry["id"]} for the second time'
    return check(entry)


def _image_problem(image: dict) -> str | None:
    if not isinstance(image['file_name'], str) or not image['file_name']:
        return f'file_name {image["file_name"]!r}'
    for side in ('width', 'height'):
        if not is_number(image[side]) or image[side] <= 0 or image[side] % 1:
            return f'{side} {image[side]!r}'
    return None


def _box_problem(box: dict, images: set, categories: set, bboxes: bool) -> str | None:
    for key, known in (('image_id', images), ('category_id', categories)):
        if not is_id(box[key]) or box[key] not in known:
            return f'no such {key} ({box[key]!r})'
    if not is_number(box.get('area', 0)):
        return f'area {box["area"]!r}, not a number'
    for key in ('iscrowd', 'ignore'):
        if box.get(key, 0) not in (0, 1):
            return f'{key} {box[key]!r}, neither 0 nor 1'
    return _bbox_problem(box) if bboxes else None


def _bbox_problem(box: dict) -> str | None:
    if 'bbox' not in box:
        return 'no bbox'
    bbox = box['bbox']
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(is_number, bbox)):
        return f'bbox {bbox!r}, not four finite numbers'
    return f'bbox {bbox!r} with negative width or height' if min(bbox[2:]) < 0 else None


def _category_problem(category: dict) -> str | None:
    known = type(category['name']) in (str, int)
    return None if known else f'name {category["name"]!r}'


def _ids(entries: Any) -> set[int]:
    if not isinstance(entries, list):
        return set()
    found = (entry.get('id') for entry in entries if isinstance(entry, dict))
    return {entry_id for entry_id in found if is_id(entry_id)}


def is_id(value: Any) -> bool:
    """Whether a value is a whole number, and no bool."""
    return type(value) is int and abs(value) <= LARGEST


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and so is its sum with another one."""
    return type(value) in (int, float) and abs(value) <= LARGEST  # NaN is not


def shortened(value: Any, limit: int = 120) -> str:
    """A value as text, cut to so many characters."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + '...'
