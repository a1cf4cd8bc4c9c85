"""Values of a JSON file as arrays, each with a mask of those that are what they should be.

A value that is not sound is 0, NaN or an empty text in the array.
"""

import numpy as np

from mmdet_digits.coco.structure import LARGEST, is_bbox, is_number


def number(value: object) -> float:
    """A number of up to ``LARGEST`` as a float, NaN for anything else, also for true and false."""
    return float(value) if is_number(value) else np.nan


def numbers(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of up to ``LARGEST``, (N,) float; anything else is NaN."""
    try:
        plain = set(map(type, values)) <= {int, float}
        array = np.array(values if plain else [number(value) for value in values], dtype=float)
    except OverflowError:  # a whole number beyond every float
        array = np.array([number(value) for value in values], dtype=float)
    sound = np.abs(array) <= LARGEST
    return np.where(sound, array, np.nan), sound


def ids(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers, (N,) int64; 3.0 is none."""
    array, sound = numbers(values)
    if set(map(type, values)) != {int}:
        sound &= np.array([type(value) is int for value in values], dtype=bool)
    return np.where(sound, array, 0).astype(np.int64), sound


def sizes(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers above 0, (N,) int64; 3.0 is one."""
    array, sound = numbers(values)
    sound &= (array > 0) & (array == np.floor(array))
    return np.where(sound, array, 0).astype(np.int64), sound


def flags(values: list) -> tuple[np.ndarray, np.ndarray]:
    """0 or 1, false or true, (N,) bool."""
    array, _ = numbers([int(value) if type(value) is bool else value for value in values])
    return array == 1, (array == 0) | (array == 1)


def boxes(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Lists of four numbers, (N, 4) float."""
    sound = np.array([is_bbox(value) for value in values], dtype=bool)
    quads = [v if ok else [np.nan] * 4 for v, ok in zip(values, sound, strict=True)]
    return np.array(quads, dtype=float).reshape(-1, 4), sound


def texts(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Texts that are not empty, (N,) object."""
    sound = np.array([type(value) is str and value != '' for value in values], dtype=bool)
    return _objects(value if ok else '' for value, ok in zip(values, sound, strict=True)), sound


def names(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Category names, (N,) object: texts, or whole numbers, which stand for their digits."""
    return texts([str(v) if type(v) is int and abs(v) < LARGEST else v for v in values])


def _objects(values) -> np.ndarray:
    values = list(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
