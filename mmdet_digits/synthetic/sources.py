"""Where the parts of a scene come from: this project, or files of the user."""

import functools
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.box_style import BoxStyle, read_box_style
from mmdet_digits.synthetic.glyphs import GlyphSet, load_glyphs
from mmdet_digits.synthetic.layouts import RealLayouts, read_layouts
from mmdet_digits.synthetic.parameters import LOOKS, Look, uniform
from mmdet_digits.synthetic.user_files import (
    Photos,
    find_photos,
    read_font_faces,
    read_glyph_samples,
)

# What scenes are made with, under names that can be left out one by one.
#
# To see what an ingredient is worth, draw without it, train, and test on real images.


@dataclass(frozen=True)
class Ingredient:
    """One thing that can be left out.

    Args:
        text: What it is.
        families: Its glyphs, see `StyleParameters.family_weights`.
        layout: Values of `LayoutParameters` without it.
        style: Values of `StyleParameters` without it.
        degradation: Values of `DegradationParameters` without it.
    """

    text: str
    families: tuple[str, ...] = ()
    layout: Mapping = field(default_factory=dict)
    style: Mapping = field(default_factory=dict)
    degradation: Mapping = field(default_factory=dict)


INGREDIENTS = {
    'strokes': Ingredient('numerals drawn with a pen', families=('stroke',)),
    'fonts': Ingredient('TrueType and Hershey fonts', families=('truetype', 'hershey')),
    'handwriting': Ingredient('handwritten digits', families=('handwriting',)),
    'layouts': Ingredient(
        'sizes, places and numbers as real ones are; without: anything, equally often',
        layout=dict(
            length_weights=(1, 1, 1, 1),
            digit_flattening=0.0,
            later_zero_gain=1.0,
            stacked_rate=0.0,
            digit_height=uniform(12, 90),
            number_height_ratio=uniform(0.3, 0.9),
            image_aspect=(uniform(1.4, 4),) * 4,
            centre_x=uniform(0.3, 0.7),
            centre_y=uniform(0.3, 0.7),
            digit_aspect=uniform(0.4, 0.8),
            gap=uniform(0, 0.3),
            slant=uniform(-10, 10),
        ),
    ),
    'perspective': Ingredient(
        'views from the side, tilted and slanted; without: upright digits seen from the front',
        layout=dict(
            slant_kind_weights=(0, 0, 1),
            steps_from=0.0,
            italic_rate=0.0,
            perspective=0.0,
            digit_rotation=0.0,
        ),
    ),
    'plates': Ingredient('number plates behind the digits', style=dict(plate_rate=0.0)),
    'distractors': Ingredient(
        'other surfaces, lines, railings and letters beside the number',
        style=dict(region_rate=0.0, line_rate=0.0, bars_rate=0.0, letter_rate=0.0),
    ),
    'shadows': Ingredient(
        'cast shadows and relief',
        style=dict(shadow_rate=0.0, relief_rate=0.0, cast_shadow_rate=0.0),
    ),
    'contrast': Ingredient(
        'weak and strong contrast, dark and bright pictures, colour casts; without: middling ones',
        degradation=dict(
            mean_level=uniform(105, 125),
            contrast=uniform(90, 110),
            saturation=(1.0, 1.0),
            cast=0.0,
            tint=0.0,
        ),
    ),
    'blur': Ingredient(
        'lens, motion and enlargement from few pixels',
        degradation=dict(effective_height=uniform(1000, 1000), blur=uniform(0, 0), motion_rate=0.0),
    ),
    'noise': Ingredient('sensor noise', degradation=dict(noise=(0, 0), colour_noise=(0, 0))),
    'jpeg': Ingredient('JPEG compression', degradation=dict(jpeg_rate=0.0)),
}
GLYPHS = tuple(name for name, ingredient in INGREDIENTS.items() if ingredient.families)


def all_but(kept: Collection[str]) -> tuple[str, ...]:
    """The ingredients to leave out where only these are wanted.

    Raises:
        InputError: There is no such ingredient.
    """
    check_ingredients(kept)
    return tuple(name for name in INGREDIENTS if name not in kept)


def check_ingredients(names: Collection[str]) -> None:
    """Raise InputError unless all of these are ingredients."""
    unknown = [name for name in names if name not in INGREDIENTS]
    if unknown:
        raise InputError(
            'There is no such ingredient of a scene.',
            ', '.join(map(str, unknown)),
            ', '.join(INGREDIENTS),
            'choose among these',
        )


@functools.cache
def look_without(look: str, without: tuple[str, ...]) -> Look:
    """The parameters of a look, without some ingredients.

    Args:
        look: One of `LOOKS`.
        without: Names of `INGREDIENTS`; not all of `GLYPHS`.
    """
    params = LOOKS[look]
    for name in without:
        left_out = INGREDIENTS[name]
        params = Look(
            replace(params.layout, **left_out.layout),
            replace(params.degradation, **left_out.degradation),
            replace(params.style, **left_out.style),
        )
    families = {family for name in without for family in INGREDIENTS[name].families}
    weights = tuple(pair for pair in params.style.family_weights if pair[0] not in families)
    return replace(params, style=replace(params.style, family_weights=weights))


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
