"""YOLO's text files: one per image, a line ``class x y w h`` per box, as fractions of the image.

``x y`` is the middle of the box. An image without a text file has no boxes.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

import numpy as np
import yaml

from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.coco.folders import describe
from mmdet_digits.converters.image_sizes import ImageSizes
from mmdet_digits.converters.records import (
    DigitRecord,
    DigitRecords,
    digit_of,
    make_record,
    shown,
)
from mmdet_digits.errors import InputError
from mmdet_digits.files import (
    IMAGE_SUFFIXES,
    check_folder,
    image_files,
    natural_key,
    read_file,
)

CLASSES = 'classes.txt'
NAME_FILES = (CLASSES, 'data.yaml', 'data.yml')
EXPECTED_NAMES = 'a name per line; or YAML, with names in it, as data.yaml'
ROUNDING = 1e-4  # fractions beyond 0 and 1 by less are rounding


class YoloFolder(DigitRecords):
    """The records of a folder of images and a folder of text files.

    Args:
        images: folder of images.
        labels: folder of text files with the stems of the images.
        names: class names in the order of their numbers; ``'10'`` stands for zero. Boxes of classes
            that are no digits are `DigitRecord.others`.
        sizes: finds the size of an image; default: it is opened.
        origin: where the names come from, for the log.

    Raises:
        InputError: a folder is missing, no text file is there, one has no image, or no class is a
            digit.
    """

    def __init__(
        self,
        images: Path,
        labels: Path,
        names: Sequence[str] = DIGITS,
        sizes: ImageSizes | None = None,
        origin: str = '',
    ) -> None:
        self.labels, self.sizes = Path(labels), sizes or ImageSizes(Path(images))
        self.names, self.digits = list(map(str, names)), digits_of_classes(names, origin)
        self.origin = origin
        check_folder(images, 'the folder of the images')
        check_folder(labels, 'the folder of the text files')
        self._paths = image_files(Path(images))
        if not self._paths:
            raise InputError(
                f'{images}: no image in it.',
                describe(Path(images)),
                f'files that end in {", ".join(IMAGE_SUFFIXES)}',
                'give the folder that holds them',
            )
        self._texts = text_files(self.labels)
        self._check_stems(images)

    def _check_stems(self, images: Path) -> None:
        stems = Counter(path.stem for path in self._paths)
        twice = next((stem for stem, count in stems.items() if count > 1), None)
        if twice is not None:
            raise InputError(
                f'{images}: several images are named {shown(twice)}, but one text file is theirs.',
                ', '.join(path.name for path in self._paths if path.stem == twice),
                'one image per name, whatever its ending',
                'rename or remove one of them',
            )
        alone = sorted(
            (path for stem, path in self._texts.items() if stem not in stems), key=natural_key
        )
        if alone:
            raise InputError(
                f'{self.labels}: {len(alone)} of {len(self._texts)} texts have no image in '
                f'{images}.',
                f'the first is {shown(alone[0].name)}',
                'a text file per image, under its name',
                'give the two folders of the same split, or move these files away',
            )

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> DigitRecord:
        """Read one record.

        Raises:
            InputError: it is wrong; the message names it and the line.
        """
        image = self._paths[index]
        path = self._texts.get(image.stem)
        where = shown(str(path or image))
        width, height = size = self.sizes(make_record(image.name, [], [], where))
        try:
            lines = path.read_text(encoding='utf-8-sig').splitlines() if path else []
        except (OSError, ValueError) as error:
            raise InputError(f'{where}: not readable as text ({error}).') from error
        numbered = [(i, line.split()) for i, line in enumerate(lines, 1) if line.strip()]
        rows = [self._parse(words, f'{where}, line {i}') for i, words in numbered]
        found = [(self.digits[number], box) for number, box in rows]
        digits = [digit for digit, _ in found if digit is not None]
        boxes = np.array([box for digit, box in found if digit is not None], float).reshape(-1, 4)
        boxes[:, :2] -= boxes[:, 2:] / 2
        boxes *= [width, height, width, height]
        others = [self.names[number] for number, _ in rows if self.digits[number] is None]
        return make_record(image.name, boxes, digits, where, size, others)

    def _parse(self, words: list[str], where: str) -> tuple[int, list[float]]:
        if len(words) != 5:
            raise InputError(
                f'{where}: {len(words)} values, expected 5: class x y w h. (6 are predictions with '
                'a score, more are polygons.)'
            )
        try:
            value, *box = map(float, words)
            number = int(value) if value.is_integer() else int(words[0])
        except ValueError as error:
            raise InputError(f'{where}: {error}, expected class x y w h.') from error
        if not 0 <= number < len(self.digits):
            raise InputError(f'{where}: class {number}, expected 0 to {len(self.digits) - 1}.')
        if not all(-ROUNDING <= value <= 1 + ROUNDING for value in box):
            raise InputError(f'{where}: {" ".join(words[1:])}, expected fractions of the image.')
        return number, box

    def notes(self, others: Counter[str]) -> Iterator[str]:
        """What a reader of the converted file should know.

        Args:
            others: boxes that were left out, per class.
        """
        yield f'Classes from 0: {", ".join(map(shown, self.names))}; {self.origin}.'
        unused = [
            shown(n)
            for n, d in zip(self.names, self.digits, strict=True)
            if d is None and n not in others
        ]
        if unused:
            yield f'Classes that are no digits and have no boxes: {", ".join(unused)}.'
        bare = sum(path.stem not in self._texts for path in self._paths)
        if bare:
            yield f'Images without a text file, taken as images without digits: {bare:,}.'


def text_files(folder: Path) -> dict[str, Path]:
    """The label files of a folder, by stem.

    Raises:
        InputError: there is none, or two are about the same image.
    """
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        if path.suffix.lower() != '.txt' or path.name.lower() == CLASSES:
            continue
        other = found.setdefault(path.stem, path)
        if other is not path:
            raise InputError(
                f'{folder}: two text files are about one image.',
                ', '.join(sorted((other.name, path.name))),
                'one text file per image',
                'remove one of them',
            )
    if not found:
        raise InputError(
            f'{folder}: no label file in it.',
            describe(folder),
            'a text file per image, under its name',
            'give the folder that holds them',
        )
    return found


def digits_of_classes(names: Sequence[str], origin: str = '') -> list[int | None]:
    """The digit of each class; None where it is no digit.

    Args:
        names: class names in the order of their numbers.
        origin: where they come from, for the message.

    Raises:
        InputError: none is a digit, or a digit stands twice.
    """
    digits = [digit_of(str(name)) for name in names]
    known = [digit for digit in digits if digit is not None]
    if not known or len(set(known)) < len(known):
        raise InputError(
            f'The class names are not digits{origin and ", "}{origin}.',
            ', '.join(shown(str(name)) for name in names) or 'none',
            "digits, each once; '10' stands for zero",
            'name the classes as the digits they are, in the order of their numbers, or give the '
            'file that does with --names',
        )
    return digits


def find_names(labels: Path) -> tuple[list[str], str]:
    """Class names from the files that lie beside or above a folder of text files.

    Those are ``classes.txt``, as labelImg and Label Studio write it, and ``data.yaml``, as Roboflow
    and Ultralytics do. Without either, class 0 is the digit 0, and so on.

    Args:
        labels: folder of the text files; both folders above it are searched too.

    Returns:
        The names in the order of their numbers, and where they come from, in words.

    Raises:
        InputError: a file cannot be read, or two disagree.
    """
    folders = [labels, *Path(os.path.abspath(labels)).parents[:2]]  # noqa: PTH100  (keeps links)
    paths = [folder / name for folder in folders for name in NAME_FILES]
    files = dict.fromkeys(path.resolve() for path in paths if path.is_file())
    known = {file: read_names(file) for file in files if has_names(file)}
    if not known:
        return list(DIGITS), f'no {" or ".join(NAME_FILES[:2])} with names in {labels} or above it'
    (first, names), *rest = known.items()
    for other, second in rest:
        if list(map(meaning, second)) != list(map(meaning, names)):
            raise InputError(
                'Two files name the classes, in different order.',
                f'{first}: {", ".join(map(shown, names))}\n            '
                f'{other}: {", ".join(map(shown, second))}',
                'one order',
                f'choose: --names {quote(str(first))}, or --names {quote(str(other))}',
            )
    return names, f'by {" and ".join(map(str, known))}'


def meaning(name: str) -> int | str:
    """The digit that a class name stands for, or the name."""
    digit = digit_of(name)
    return name if digit is None else digit


def has_names(path: Path) -> bool:
    """Whether a file that was found, not named, is about classes; a YAML file need not be."""
    if path.name == CLASSES:
        return True
    content = load_yaml(path)
    return isinstance(content, dict) and 'names' in content


def read_names(path: Path) -> list[str]:
    """Class names from ``classes.txt`` (one per line) or ``data.yaml`` (its ``names``).

    Blanks around a name are not part of it. An empty line counts as a class, but at the end.

    Raises:
        InputError: the file cannot be read or has no names.
    """
    path = Path(path)
    if path.suffix.lower() not in ('.yaml', '.yml'):
        return [line.strip() for line in read_text(path).rstrip().splitlines()]
    try:
        names = load_yaml(path)['names']
        if isinstance(names, dict):
            numbered = {int(number): name for number, name in names.items()}
            names = [numbered[number] for number in range(len(names))]
        elif not isinstance(names, list):
            raise TypeError(f'names is {names!r}')
        return [str(name).strip() for name in names]
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise no_names(path, error) from error


def load_yaml(path: Path) -> object:
    """What a YAML file holds."""
    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise no_names(path, error) from error


def read_text(path: Path) -> str:
    """A text file's content, as UTF-8 with a byte order mark or without."""
    try:
        return read_file(path, EXPECTED_NAMES).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise no_names(path, error) from error


def no_names(path: Path, error: Exception) -> InputError:
    """The error of a file that should have class names."""
    return InputError(
        f'{path}: no class names.',
        f'{type(error).__name__}: {" ".join(str(error).split())}',
        EXPECTED_NAMES,
        'correct the file, or give another with --names',
    )
