"""Which files are meant by names that differ from them in folder or suffix only."""

import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

from mmdet_digits.files import is_image_name, natural_key


def images_below(image_dir: Path) -> list[str]:
    """The image files of a folder and the folders in it, with ``/`` between folder and file."""
    found = []
    for folder, _, names in os.walk(image_dir):
        relative = os.path.relpath(folder, image_dir).replace(os.sep, '/')
        found += [posixpath.normpath(posixpath.join(relative, name)) for name in names]
    return sorted((name for name in found if is_image_name(name)), key=natural_key)


def meant_files(names: Mapping[int, str], files: Iterable[str]) -> dict[int, str]:
    """Find the files that are meant by names which lead to none.

    Args:
        names: file names as tools write them, by row: paths of another system, URLs, names
            without suffix.
        files: image files that no other name leads to.

    Returns:
        The file of each row for which there is one file of that name in any folder, or else one
        that has another suffix, and which no other row means.
    """
    files = list(files)
    found = {}
    for key in (posixpath.basename, _stem):
        files_of = defaultdict(list)
        for file in files:
            files_of[key(file)].append(file)
        for row, name in names.items():
            options = files_of[key(last_part(name))]
            if row not in found and len(options) == 1:
                found[row] = options[0]
    times = Counter(found.values())
    return {row: file for row, file in found.items() if times[file] == 1}


def last_part(name: str) -> str:
    """The file name at the end of a path of any system, of a URL, or of ``?d=images/1.png``."""
    path, _, query = name.partition('?')
    if path.endswith('/'):
        path = query.rpartition('=')[2]
    return unquote(re.split(r'[/\\]', path)[-1])


def _stem(name: str) -> str:
    """A file name without the suffix of an image; what else follows a dot belongs to it."""
    name = posixpath.basename(name)
    return posixpath.splitext(name)[0] if is_image_name(name) else name
