"""Values of COCO files as people have them, read as COCO means them."""

import re
from typing import Any

MISSING = type('Missing', (), {'__repr__': lambda self: 'missing'})()
NUMBER = re.compile(r'\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*', re.ASCII)
FLAGS = {'1': 1, 'true': 1, 'yes': 1, '0': 0, 'false': 0, 'no': 0}
SIZE_ROUNDING = 1e-3  # px; what a width that went through fractions may be off


def read_values(coco: dict) -> tuple[dict, list[str]]:
    """Read what can be known: numbers written as text, names with blanks, what can be derived.

    Args:
        coco: the content of a COCO file, sound or not; not changed.

    Returns:
        The same with its values read; what cannot be read stays as it is. And one text for each
        kind of value that was not as COCO has it.
    """
    read, notes = dict(coco), []
    for name, readers in READERS.items():
        entries = coco.get(name)
        if isinstance(entries, list):
            read[name], found = _read_list(name, entries, readers)
            notes += found
    return read, notes


def _read_list(name: str, entries: list, readers: dict[str, tuple]) -> tuple[list, list[str]]:
    """The entries with the values of some keys read, and a text for each key that needed it."""
    entries, notes = list(entries), []
    objects = {*map(type, entries)} <= {dict}
    for key, (read, plain) in readers.items():
        if objects and {type(entry.get(key, MISSING)) for entry in entries} <= plain:
            continue
        count, first = 0, None
        for row, entry in enumerate(entries):
            if not isinstance(entry, dict):
                continue
            value = entry.get(key, MISSING)
            found = read(value, entry)
            if found is not value:
                entries[row] = {**entry, key: found}
                count, first = count + 1, first or (value, found)
        if count:
            notes.append(f'{key} of {count:,} {name} {_in_words(key, *first)}')
    return entries, notes


def _in_words(key: str, value: Any, found: Any) -> str:
    if value is MISSING or value is None:
        return f'is missing, {"width x height of bbox" if key == "area" else found} is taken'
    return f'is read, e.g. {value!r} as {found!r}'


def as_number(value: Any) -> Any:
    """``'3'`` and 3.0 as 3, ``'3.5'`` as 3.5; anything else as it is."""
    kind = type(value)
    if kind is int:
        return value
    if kind is str and NUMBER.fullmatch(value):
        value = float(value)
    return int(value) if type(value) is float and value.is_integer() else value


def as_flag(value: Any) -> Any:
    """0 and 1 for what means them: false, true, ``'no'``, ``'Yes'``; anything else as it is."""
    if type(value) is int:
        return value
    if type(value) in (bool, float):
        return int(value) if value in (0, 1) else value
    return FLAGS.get(value.strip().lower(), value) if type(value) is str else value


def _number(value: Any, entry: dict) -> Any:
    return value if type(value) is float else as_number(value)


def _id(value: Any, entry: dict) -> Any:
    return value if type(value) is int else as_number(value)


def _side(value: Any, entry: dict) -> Any:
    """A width or height: a whole number, or one that is by rounding."""
    value = as_number(value)
    near = type(value) is float and abs(value) < 2**53 and abs(value - round(value))
    return round(value) if near and near <= SIZE_ROUNDING else value


def _bbox(value: Any, entry: dict) -> Any:
    if type(value) is not list or str not in map(type, value):
        return value
    return [_number(side, entry) for side in value]


def _area(value: Any, entry: dict) -> Any:
    bbox = entry.get('bbox')
    if (value is MISSING or value is None) and isinstance(bbox, list) and len(bbox) == 4:
        w, h = bbox[2:]
        return w * h if {type(w), type(h)} <= {int, float} else value
    return _number(value, entry)


def _crowd(value: Any, entry: dict) -> Any:
    return 0 if value is MISSING or value is None else as_flag(value)


def _ignore(value: Any, entry: dict) -> Any:
    return 0 if value is None else as_flag(value)


def _name(value: Any, entry: dict) -> Any:
    return value.strip() if type(value) is str else as_number(value)


#: Per list and key: what reads a value, and the types that need no reading.
READERS = {
    'images': {'id': (_id, {int}), 'width': (_side, {int}), 'height': (_side, {int})},
    'annotations': {
        'id': (_id, {int}),
        'image_id': (_id, {int}),
        'category_id': (_id, {int}),
        'bbox': (_bbox, set()),
        'area': (_area, {int, float}),
        'iscrowd': (_crowd, {int}),
        'ignore': (_ignore, {int, type(MISSING)}),
    },
    'categories': {'id': (_id, {int}), 'name': (_name, set())},
}
