"""What scenes are made with, under names that can be left out one by one.

To see what an ingredient is worth, draw without it, train, and test on real images.
"""

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.parameters import LOOKS, Look, uniform


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
