"""What every COCO file of digits has to be before anything in it can be relied on."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmdet_digits.coco.categories import DIGITS, ZERO_ALIAS
from mmdet_digits.coco.values import read_values
from mmdet_digits.errors import InputError, quoted_list
from mmdet_digits.files import read_json
from mmdet_digits.repository import tool_command

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
LONGEST_NAME = 255  # bytes of one part; no file system that people use has more
LOG = logging.getLogger(__name__)
LARGEST = 2**53  # beyond it, neighbouring whole numbers are the same as floats


def read_coco(
    path: Path | str,
    classes: Sequence[str] = DIGITS,
    ignore_classes: Sequence[str] = (),
    images_only: bool = False,
    bboxes: bool = True,
    say: Callable[[str], None] = LOG.warning,
) -> dict:
    """Read a COCO file, gzipped or not, and bring it into order as :func:`normalize_coco` does.

    Args:
        path: the file.
        classes: those of :func:`normalize_coco`, as are the next three.
        ignore_classes: likewise.
        images_only: likewise.
        bboxes: likewise.
        say: is given one line about what the file has in another way, if there is anything.
    """
    content = read_json(path, FORMAT)
    coco, notes = normalize_coco(content, path, classes, ignore_classes, images_only, bboxes)
    if notes:
        say(f'{path}: {"; ".join(notes)}.')
    return coco


def normalize_coco(
    coco: Any,
    path: Path | str,
    classes: Sequence[str] = DIGITS,
    ignore_classes: Sequence[str] = (),
    images_only: bool = False,
    bboxes: bool = True,
) -> tuple[dict, list[str]]:
    """Bring the content of a COCO file into the order that all of this project relies on.

    Numbers written as text are read, ``area`` and ``iscrowd`` are derived where they are missing,
    and there is one category for each class and no other. Ids and their order stay.

    Args:
        coco: what the file holds; not changed.
        path: its path, for messages.
        classes: names of the classes.
        ignore_classes: names of categories to leave out, with their annotations.
        images_only: whether the file need not have annotations.
        bboxes: also check that each bbox is there and is four numbers.

    Returns:
        The content, and what was not as it is now, in words.

    Raises:
        InputError: the file cannot be understood; see :func:`check_fields` and
            :func:`fit_categories`.
    """
    notes = []
    if images_only and isinstance(coco, dict) and not coco.get('annotations'):
        notes += [] if 'annotations' in coco else ['no annotations, only images']
        coco = {**coco, 'annotations': coco.get('annotations', [])}
        coco.setdefault('categories', [])
    if isinstance(coco, dict):
        coco, found = read_values(coco)
        notes += found
    check_fields(coco, path, bboxes=bboxes)
    coco, found = fit_categories(coco, path, classes, ignore_classes)
    return coco, notes + found


def fit_categories(
    coco: dict,
    path: Path | str,
    classes: Sequence[str] = DIGITS,
    ignore_classes: Sequence[str] = (),
) -> tuple[dict, list[str]]:
    """Keep the categories that are classes, and add those classes that a file does not have.

    Args:
        coco: a COCO file with sound ids; not changed.
        path: its path, for messages.
        classes: those of :func:`choose_categories`.
        ignore_classes: likewise; their annotations are left out too.

    Returns:
        The file with one category per class, and what was left out or added, in words.

    Raises:
        InputError: see :func:`choose_categories`.
    """
    boxes = Counter(annotation['category_id'] for annotation in coco['annotations'])
    categories, left_out, notes = choose_categories(
        coco['categories'], boxes, path, classes, ignore_classes
    )
    annotations = coco['annotations']
    if any(boxes[i] for i in left_out):
        annotations = [a for a in annotations if a['category_id'] not in left_out]
    return coco | {'annotations': annotations, 'categories': categories}, notes


def choose_categories(
    categories: Sequence[dict],
    boxes: Counter,
    path: Path | str,
    classes: Sequence[str] = DIGITS,
    ignore_classes: Sequence[str] = (),
) -> tuple[list[dict], set[int], list[str]]:
    """Choose the category of each class, by name.

    Args:
        categories: the categories of a COCO file, each with a sound ``id`` and ``name``.
        boxes: number of boxes per category id.
        path: path of the file, for messages.
        classes: names of the classes. ``'10'`` is zero, as in SVHN, where no category is ``'0'``.
        ignore_classes: names of categories to leave out.

    Returns:
        One category per class; those that are missing are added, with ids of their own. The ids of
        the categories that are left out. And both in words, where there is something to say.

    Raises:
        InputError: a name stands twice, or other categories than these have boxes.
    """
    names = [str(category['name']) for category in categories]
    if '0' not in names and ZERO_ALIAS not in ignore_classes:
        names = ['0' if name == ZERO_ALIAS else name for name in names]
    wanted = [name for name in classes if name not in ignore_classes]
    ids = [category['id'] for category in categories]
    others = [(i, name) for i, name in zip(ids, names, strict=True) if name not in wanted]
    unknown = [name for i, name in others if boxes[i] and name not in ignore_classes]
    found = Counter(name for name in names if name in wanted)
    twice = [name for name, count in found.items() if count > 1]
    if unknown or twice:
        raise _wrong_categories(path, categories, boxes, unknown, twice, classes)
    missing = [name for name in classes if name not in found]
    added = [{'id': i, 'name': name} for i, name in enumerate(missing, max((0, *ids, *boxes)) + 1)]
    kept = [c for c, name in zip(categories, names, strict=True) if name in wanted]
    return kept + added, {i for i, _ in others}, _category_notes(others, boxes, missing)


def _wrong_categories(
    path: Path | str,
    categories: Sequence[dict],
    boxes: Counter,
    unknown: Sequence[str],
    twice: Sequence[str],
    classes: Sequence[str],
) -> InputError:
    listed = ', '.join(f'{c["id"]}={c["name"]!r} ({boxes[c["id"]]:,} boxes)' for c in categories)
    wrong, fix = 'have one name', 'rename them, or put their boxes under one of them'
    if unknown:
        wrong = 'are none of the classes, and have boxes'
        fix = (
            'rename those that are digits; leave out the others: '
            f'--ignore-classes {quoted_list(dict.fromkeys(unknown))} of the tools with --ann or '
            f'{tool_command("prepare_data")} link, or of {tool_command("check_data")} --fix OUT, '
            'which writes a copy without them; or '
            f'ignore_classes={[*dict.fromkeys(unknown)]} of the data set'
        )
    return InputError(
        f'{path}: categories that {wrong}: {", ".join(map(repr, dict.fromkeys(unknown or twice)))}',
        shortened(listed, 600) or 'none',
        f'{", ".join(classes)} (in any order, under any ids, each at most once)',
        fix,
    )


def _category_notes(
    others: Sequence[tuple[int, str]], boxes: Counter, missing: Sequence[str]
) -> list[str]:
    empty = [name for i, name in others if not boxes[i]]
    boxed = [f'{name} ({boxes[i]:,})' for i, name in others if boxes[i]]
    texts = {
        'categories left out, without boxes:': empty,
        'categories left out, with their boxes:': boxed,
        'no category, and so no box, of': missing if boxes else [],
    }
    return [f'{text} {shortened(", ".join(names))}' for text, names in texts.items() if names]


def check_fields(
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
    if not bboxes:
        return None
    return bbox_problem(box['bbox']) if 'bbox' in box else 'no bbox'


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


def is_bbox(value: Any) -> bool:
    """Whether a value is a list of four such numbers."""
    return isinstance(value, list | tuple) and len(value) == 4 and all(map(is_number, value))


def bbox_problem(bbox: Any) -> str | None:
    """What is wrong with a ``[x, y, w, h]``, in words; None if nothing is."""
    if not is_bbox(bbox):
        return f'bbox {bbox!r}, not four finite numbers'
    return f'bbox {bbox!r} with negative width or height' if min(bbox[2:]) < 0 else None


def leads_out(name: str) -> bool:
    """Whether a file name, written in the way of any system, leads out of its folder."""
    absolute = name.startswith(('/', '\\')) or re.match(r'[A-Za-z]:[\\/]', name) is not None
    return absolute or ('..' in name and '..' in re.split(r'[\\/]', name))


def name_problem(name: str) -> str | None:
    """What is wrong with a file name below the folder of the images, in words; None if nothing is.

    Every name that is read from a file, and then opened or written, has to pass.
    """
    if leads_out(name) or not name:
        return 'does not stay in the folder of the images'
    if '\0' in name:
        return 'has a NUL in it'
    try:
        length = max(len(part.encode()) for part in re.split(r'[\\/]', name))
    except UnicodeEncodeError:
        return 'is no UTF-8'
    return f'has {length} bytes, {LONGEST_NAME} at most' if length > LONGEST_NAME else None


def unusable_name(name: str, source: Path | str) -> InputError:
    """The message about a file name in ``source`` that has a problem."""
    return InputError(
        f'{source}: the file name {shortened(repr(name))} {name_problem(name)}.',
        shortened(repr(name)),
        'the name of a file in the folder of the images',
        f'correct it; {tool_command("check_data")} shows which files such names may mean',
    )


def shortened(value: Any, limit: int = 120) -> str:
    """A value as text, cut to so many characters."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + '...'
