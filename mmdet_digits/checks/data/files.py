"""Checks of the file names in a COCO file against what is in the image folder."""

import os
import posixpath
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from mmdet_digits.checks.data.structure import CocoTable, report, shown
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.coco.structure import leads_out
from mmdet_digits.files import is_image_name, natural_key
from mmdet_digits.repository import tool_command

# Which files are meant by names that differ from them in folder or suffix only.


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


REPAIRED = 'writes the names of those that it found, and removes the other entries'


@dataclass(frozen=True)
class FileMatch:
    """How the file names of a COCO file meet the files of its image folder.

    Args:
        files: the file of each image that has one, by row.
        other_case: rows of those whose file name differs from it in upper and lower case.
        missing: rows of images that have no file.
        leaving: rows of images whose file name leads out of the folder.
        meant: the file that a name of these two most likely means, by row; in ``files`` too.
        unlisted: image files that no entry names.
    """

    files: dict[int, str] = field(default_factory=dict)
    other_case: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    leaving: list[int] = field(default_factory=list)
    meant: dict[int, str] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)


def check_files(table: CocoTable, image_dir: Path) -> tuple[FileMatch, list[Check]]:
    """Compare the file names with the folder.

    Returns:
        How they match, and every check of this module.
    """
    folder = image_folder(image_dir)
    if folder.status is Status.FAIL:
        return FileMatch(), [folder]
    match = match_files(table.file_names, list_files(table.file_names, image_dir))
    lost = sorted([*match.missing, *match.leaving])
    if lost:
        spare = [name for name in images_below(image_dir) if name not in {*match.files.values()}]
        match.meant.update(meant_files({row: table.file_names[row] for row in lost}, spare))
        match.files.update(match.meant)
    return match, [
        folder,
        leaving_names(table, match),
        missing_files(table, match, image_dir),
        other_cases(table, match),
        unlisted_files(match),
    ]


def image_folder(image_dir: Path) -> Check:
    """Whether the folder is there."""
    if Path(image_dir).is_dir():
        return Check('image folder', Status.OK, str(image_dir))
    there = 'a file' if Path(image_dir).exists() else 'nothing there'
    return Check(
        'image folder',
        Status.FAIL,
        f'{image_dir}: {there}',
        'the folder that holds the images',
        f'say where it is, or link it ({tool_command("prepare_data")} link)',
    )


def list_files(names: Iterable[str], image_dir: Path) -> set[str]:
    """The files of a folder and of those folders in it that file names lead to.

    Returns:
        Names as in a COCO file, with ``/`` between folder and file.
    """
    folders = {posixpath.dirname(posixpath.normpath(name)) for name in names if not leads_out(name)}
    files = set()
    for folder in folders | {''}:
        try:
            with os.scandir(os.path.join(image_dir, folder)) as entries:  # noqa: PTH118
                files.update(posixpath.join(folder, e.name) for e in entries if e.is_file())
        except (OSError, ValueError):  # no such folder, or a name that no system allows
            continue
    return files


def match_files(names: Iterable[str], files: set[str]) -> FileMatch:
    """Match file names with the files that are there."""
    match = FileMatch()
    plain = [posixpath.normpath(name) for name in names]  # ./1.png is 1.png
    spare = {_folded(file): file for file in sorted(files.difference(plain), reverse=True)}
    for row, (name, file) in enumerate(zip(names, plain, strict=True)):
        if not name:
            continue
        if leads_out(name):
            match.leaving.append(row)
        elif file in files:
            match.files[row] = file
        elif _folded(file) in spare:
            match.other_case.append(row)
            match.files[row] = spare[_folded(file)]
        else:
            match.missing.append(row)
    unlisted = files.difference(match.files.values())
    match.unlisted.extend(sorted(filter(is_image_name, unlisted), key=natural_key))
    return match


def _folded(name: str) -> str:
    """A name as a file system takes it that tells neither case nor ways to write an accent."""
    return unicodedata.normalize('NFC', name).casefold()


def leaving_names(table: CocoTable, match: FileMatch) -> Check:
    """File names like ``../1.png`` or ``/home/me/1.png``."""
    return report(
        'file names that leave the folder',
        _lost(table, match, match.leaving),
        'names relative to the image folder',
        'put the files into the folder and write their names only',
        repair=REPAIRED,
    )


def missing_files(table: CocoTable, match: FileMatch, image_dir: Path) -> Check:
    """Entries whose file is not there, or is a link that leads nowhere."""
    return report(
        'images without file',
        _lost(table, match, match.missing),
        f'each of them in {image_dir}',
        'put the files there, or correct the entries',
        repair=REPAIRED,
    )


def _lost(table: CocoTable, match: FileMatch, rows: list[int]) -> list[str]:
    """Images as text whose names lead to no file, with the files that they mean."""
    files = [match.meant.get(row) for row in rows]
    images = table.images(np.array(rows, dtype=int))
    return [
        f'{image} is {shown(file)[1:-1]} in the folder' if file else image
        for image, file in zip(images, files, strict=True)
    ]


def other_cases(table: CocoTable, match: FileMatch) -> Check:
    """Names that some systems find and others do not."""
    images = table.images(np.array(match.other_case, dtype=int))
    cases = [
        f'{image} is {shown(match.files[row])[1:-1]} in the folder'
        for image, row in zip(images, match.other_case, strict=True)
    ]
    return report(
        'file names in another case',
        cases,
        'the name as it stands in the folder; Linux finds no other',
        'rename the files, or correct the entries',
        repair='corrects them',
    )


def unlisted_files(match: FileMatch) -> Check:
    """Image files that no entry names."""
    return report(
        'files without entry',
        [shown(name)[1:-1] for name in match.unlisted],
        'an entry per image; these files are not used',
        'nothing, if they are left out on purpose',
        Status.WARN,
    )


def shared_names(
    first: tuple[Path, Iterable[str]], second: tuple[Path, Iterable[str]]
) -> list[str]:
    """File names that two splits, given as folder and names, read from the same folder."""
    if Path(first[0]).resolve() != Path(second[0]).resolve():
        return []
    return sorted(set(first[1]) & set(second[1]))
