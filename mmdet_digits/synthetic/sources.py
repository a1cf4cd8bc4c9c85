"""Where the parts of a scene come from: this project, or files of the user."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.box_style import BoxStyle, read_box_style
from mmdet_digits.synthetic.font_files import read_font_faces
from mmdet_digits.synthetic.glyph_files import read_glyph_samples
from mmdet_digits.synthetic.glyphs import GlyphSet, load_glyphs
from mmdet_digits.synthetic.ingredients import GLYPHS, check_ingredients
from mmdet_digits.synthetic.photos import Photos, find_photos
from mmdet_digits.synthetic.real_layouts import RealLayouts, read_layouts

SUPPLIED = {'glyphs': 'handwriting', 'fonts': 'fonts', 'layouts': 'layouts'}
"""The ingredient that each kind of file is for."""


@dataclass(frozen=True)
class SceneSource:
    """What scenes are made from. Files of the user take the place of what the project brings.

    Args:
        glyphs: Pictures of digits instead of scikit-learn's handwriting, see
            `glyph_files.GLYPH_FORMAT`.
        fonts: Folder of fonts instead of Matplotlib's.
        backgrounds: Folder of photographs instead of drawn walls.
        layouts: COCO file to take numbers, image sizes and places from instead of statistics.
        box_style: File of a `BoxStyle`. The drawn boxes get it, those of ``layouts`` have it.
        without: Names of `INGREDIENTS` to leave out.

    Raises:
        InputError: No such ingredient, no glyphs are left, or files are given for one left out.
    """

    glyphs: str | None = None
    fonts: str | None = None
    backgrounds: str | None = None
    layouts: str | None = None
    box_style: str | None = None
    without: tuple[str, ...] = ()

    def __post_init__(self):
        without = {self.without} if isinstance(self.without, str) else set(self.without)
        check_ingredients(without)
        object.__setattr__(self, 'without', tuple(sorted(without)))
        if set(GLYPHS) <= set(self.without):
            raise InputError(
                'There would be no digits in the scenes.',
                f'all of {", ".join(GLYPHS)} are left out',
                'at least one of them',
                'keep one',
            )
        for option, ingredient in SUPPLIED.items():
            if getattr(self, option) and ingredient in self.without:
                raise InputError(
                    f'{option} are given, but what they are for is left out.',
                    f'{option}={getattr(self, option)!r} without {ingredient}',
                    'one or the other',
                    f'leave {ingredient} in, or give no {option}',
                )

    @classmethod
    def from_options(cls, options: Mapping) -> 'SceneSource':
        """Make it from a dict as a config has it.

        Raises:
            InputError: It has other keys.
        """
        known = [field.name for field in fields(cls)]
        unknown = [key for key in options if key not in known]
        if unknown:
            raise InputError(
                'A scene source has no such option.',
                ', '.join(unknown),
                ', '.join(known),
                'correct source of the data set',
            )
        return cls(**options)

    def record(self) -> dict:
        """What differs from the default, for JSON; files by name and hash. They must be there."""
        given = {name: value for name, value in asdict(self).items() if value}
        return {
            name: list(value) if name == 'without' else f'{Path(value).name} {fingerprint(value)}'
            for name, value in given.items()
        }


DEFAULT = SceneSource()


@dataclass(frozen=True, eq=False)
class Supplies:
    """What a `SceneSource` stands for, in memory.

    Args:
        glyphs: All glyphs.
        photos: Walls, or None to draw them.
        layouts: Places for numbers, or None to draw them.
        box_style: Of the boxes, or None for tight ones.
        without: Ingredients left out.
        notes: What is to be told about files of the user.
    """

    glyphs: GlyphSet
    photos: Photos | None = None
    layouts: RealLayouts | None = None
    box_style: BoxStyle | None = None
    without: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@functools.cache
def load_supplies(source: SceneSource = DEFAULT) -> Supplies:
    """Read what a source names, once per process.

    Raises:
        InputError: A file or folder is missing, empty or not what it should be.
    """
    glyphs, notes = load_glyphs(), []
    if source.glyphs:
        samples, told = read_glyph_samples(source.glyphs)
        glyphs = replace(glyphs, handwriting=samples)
        notes += told
    if source.fonts:
        faces, told = read_font_faces(source.fonts)
        glyphs = replace(glyphs, truetype=faces, favourites=())
        notes += told
    style = read_box_style(source.box_style) if source.box_style else None
    layouts = None
    if source.layouts:
        layouts, told = read_layouts(source.layouts, style)
        notes += told
    return Supplies(
        glyphs,
        find_photos(source.backgrounds) if source.backgrounds else None,
        layouts,
        style,
        source.without,
        tuple(notes),
    )


def fingerprint(path: str) -> str:
    """Short SHA-256 of a file, or of the names and sizes of the files below a folder."""
    path, digest = Path(path), hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob('*') if p.is_file()):
            digest.update(f'{file.relative_to(path).as_posix()} {file.stat().st_size}\n'.encode())
    else:
        digest.update(path.read_bytes())
    return f'sha256:{digest.hexdigest()[:16]}'
