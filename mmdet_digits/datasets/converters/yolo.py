"""YOLO's text files: one per image, a line ``class x y w h`` per box, as fractions of the image.

``x y`` is the middle of the box. An image without a text file has no boxes.
"""

from pathlib import Path

import numpy as np
import yaml

from mmdet_digits.categories import DIGITS
from mmdet_digits.datasets.converters.image_sizes import (
    EXTENSIONS,
    ImageSizes,
    image_files,
    natural_order,
)
from mmdet_digits.datasets.converters.records import DigitRecord, digit_of, make_record
from mmdet_digits.datasets.synthetic.folders import describe
from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import check_folder


class YoloFolder:
    """The records of a folder of images and a folder of text files.

    Args:
        images: folder of images.
        labels: folder of text files with the stems of the images.
        names: class names in the order of their numbers; each a digit, or ``'10'`` for zero.
        sizes: finds the size of an image; default: it is opened.

    Raises:
        InputError: a folder is missing, a text file has no image, or a class is no digit.
    """

    def __init__(
        self,
        images: Path,
        labels: Path,
        names: list[str] | tuple[str, ...] = DIGITS,
        sizes: ImageSizes | None = None,
    ) -> None:
        self.labels, self.sizes = Path(labels), sizes or ImageSizes(Path(images))
        self.digits = digits_of_classes(names)
        check_folder(images, 'the folder of the images')
        check_folder(labels, 'the folder of the text files')
        self._paths = image_files(Path(images))
        if not self._paths:
            raise InputError(
                f'{images}: no image in it.',
                describe(Path(images)),
                f'files that end in {", ".join(sorted(EXTENSIONS))}',
                'give the folder that holds them',
            )
        self._check_stems(images)

    def _check_stems(self, images: Path) -> None:
        stems = [path.stem for path in self._paths]
        if len(set(stems)) < len(stems):
            twice = next(stem for stem in stems if stems.count(stem) > 1)
            raise InputError(
                f'{images}: several images are named {twice}, but one text file is theirs.',
                ', '.join(path.name for path in self._paths if path.stem == twice),
                'one image per name, whatever its ending',
                'rename or remove one of them',
            )
        texts = [path for path in self.labels.glob('*.txt') if path.name != 'classes.txt']
        alone = sorted((path for path in texts if path.stem not in set(stems)), key=natural_order)
        if alone:
            raise InputError(
                f'{self.labels}: {len(alone)} of {len(texts)} texts have no image in {images}.',
                f'the first is {alone[0].name}',
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
        name = self._paths[index].name
        path = self.labels / f'{self._paths[index].stem}.txt'
        width, height = size = self.sizes(make_record(name, [], [], name))
        try:
            lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
        except ValueError as error:
            raise InputError(f'{path}: not readable as text ({error}).') from error
        numbered = [(i, line.split()) for i, line in enumerate(lines, 1) if line.strip()]
        rows = [self._parse(words, f'{path}, line {i}') for i, words in numbered]
        digits = [digit for digit, _ in rows]
        boxes = np.array([box for _, box in rows], float).reshape(-1, 4)
        boxes[:, :2] -= boxes[:, 2:] / 2
        return make_record(name, boxes * [width, height, width, height], digits, str(path), size)

    def _parse(self, words: list[str], where: str) -> tuple[int, list[float]]:
        if len(words) != 5:
            raise InputError(
                f'{where}: {len(words)} values, expected 5: class x y w h. (6 are predictions with '
                'a score, more are polygons.)'
            )
        try:
            number, box = int(words[0]), [float(word) for word in words[1:]]
        except ValueError as error:
            raise InputError(f'{where}: {error}, expected class x y w h.') from error
        if not 0 <= number < len(self.digits):
            raise InputError(f'{where}: class {number}, expected 0 to {len(self.digits) - 1}.')
        if not all(0 <= value <= 1 for value in box):
            raise InputError(f'{where}: {" ".join(words[1:])}, expected fractions of the image.')
        return self.digits[number], box


def digits_of_classes(names: list[str] | tuple[str, ...]) -> list[int]:
    """The digit of each class.

    Raises:
        InputError: a name is no digit, or stands twice.
    """
    digits = [digit_of(str(name)) for name in names]
    if None in digits or len(set(digits)) < len(digits) or not digits:
        raise InputError(
            'The class names are not digits.',
            ', '.join(map(str, names)) or 'none',
            "digits, each once; '10' stands for zero",
            'name the classes as the digits they are, in the order of their numbers',
        )
    return digits


def read_names(path: Path) -> list[str]:
    """Class names from ``classes.txt`` (one per line) or ``data.yaml`` (its ``names``).

    Raises:
        InputError: the file cannot be read or has no names.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8')
        if path.suffix not in ('.yaml', '.yml'):
            return text.split()
        names = yaml.safe_load(text)['names']
        if isinstance(names, dict):
            names = [names[number] for number in range(len(names))]
        return [str(name) for name in names]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise InputError(
            f'{path}: no class names.',
            f'{type(error).__name__}: {reason}',
            'a name per line; or YAML, with names in it, as data.yaml',
            'correct the file, or leave --names out if class 0 is the digit 0, and so on',
        ) from error
