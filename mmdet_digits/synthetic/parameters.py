"""Every distribution the scenes are drawn from, in one place.

Lengths are in pixels of the written image or, where it says so, in digit heights. 'SVHN' is the
training part of Street View House Numbers, format 1 (33,402 images, 73,257 boxes); its quantiles
were measured on its boxes. SVHN's boxes are loose, ours touch the glyph.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

GENERATOR_VERSION = 1
"""Raise it whenever the same seed would draw other pixels or boxes."""
LAYOUTS_VERSION = 2
"""The same for scenes with the layouts of a file."""


@dataclass(frozen=True)
class Quantiles:
    """A distribution given by its quantiles, piecewise linear (or log-linear) between them.

    Args:
        probabilities: Increasing, from 0 to 1.
        values: The quantile at each probability, not decreasing.
        log: Interpolate the logarithm; for sizes.
    """

    probabilities: tuple[float, ...]
    values: tuple[float, ...]
    log: bool = False

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        p = rng.random()
        if self.log:
            return float(np.exp(np.interp(p, self.probabilities, np.log(self.values))))
        return float(np.interp(p, self.probabilities, self.values))


def uniform(low: float, high: float) -> Quantiles:
    """Every value between two, equally often."""
    return Quantiles((0, 1), (low, high))


@dataclass(frozen=True)
class LayoutParameters:
    """What is written where. Source: SVHN, unless a comment says otherwise."""

    # Numbers of 1..6 digits; SVHN has 5137, 18130, 8691, 1434, 9, 1. Five and six are raised to be
    # seen at all, four a little, so that the long numbers of other sources are learnt too.
    length_weights: tuple[float, ...] = (0.150, 0.520, 0.260, 0.062, 0.006, 0.002)
    # SVHN's digits 0..9 number 4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659.
    # Weights are these counts to the power 0.5: the rarest digit is drawn 1.7 times less often
    # than the commonest (SVHN: 3.0 times), so that the rare ones are learnt.
    digit_counts: tuple[int, ...] = (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)
    digit_flattening: float = 0.5
    leading_zero_rate: float = 0.01  # SVHN: 84 of 33,402
    later_zero_gain: float = 1.8  # since a 0 hardly ever comes first
    stacked_rate: float = 0.009  # of numbers with two digits or more; SVHN: 212 of 28,265

    digit_height: Quantiles = Quantiles(
        (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1),
        (10, 11.5, 14, 20.5, 28, 39.5, 65, 92, 125),
        True,
    )
    number_height_ratio: Quantiles = Quantiles(  # height of the number / height of the image
        (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1),
        (0.2, 0.26, 0.41, 0.6, 0.71, 0.79, 0.9, 0.95, 0.97),
    )
    image_aspect: tuple[Quantiles, ...] = (  # width / height, for 1, 2, 3 and >= 4 digits
        Quantiles((0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (1.4, 1.7, 1.9, 2.0, 2.15, 2.5, 2.9), True),
        Quantiles((0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (1.5, 1.9, 2.1, 2.2, 2.35, 2.6, 3.1), True),
        Quantiles((0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (1.6, 1.9, 2.2, 2.4, 2.6, 3.05, 3.6), True),
        Quantiles((0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (1.7, 2.1, 2.6, 2.9, 3.25, 3.8, 4.3), True),
    )
    number_width_ratio_max: float = 0.94  # SVHN's 99 % with four digits: 0.66; wider here is rare
    image_width: tuple[int, int] = (40, 600)  # ours: SVHN's 1 % is 42, its largest 876
    centre_x: Quantiles = Quantiles(  # centre of the number / width of the image
        (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1),
        (0.25, 0.32, 0.44, 0.49, 0.5, 0.51, 0.56, 0.68, 0.75),
    )
    centre_y: Quantiles = Quantiles(
        (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1),
        (0.3, 0.36, 0.43, 0.47, 0.49, 0.51, 0.56, 0.65, 0.7),
    )
    # Width / height of the digits that are no 1, one value per number; the 1 follows its font.
    digit_aspect: Quantiles = Quantiles(
        (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1),
        (0.24, 0.28, 0.33, 0.44, 0.51, 0.59, 0.72, 0.84, 0.95),
    )
    stretch_limits: tuple[float, float] = (0.55, 1.6)  # of a font's natural width; ours
    one_aspect: tuple[float, float] = (0.1, 0.6)  # limits; ours (SVHN 5..95 %: 0.22..0.58, loose)
    # Between neighbouring boxes, in digit heights. SVHN: -0.15/-0.05/0/0.05/0.14 at 5/25/50/75/95 %
    # with loose boxes; tight boxes of the same digits lie about 0.1 further apart.
    gap: Quantiles = Quantiles(
        (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (-0.03, 0.02, 0.06, 0.1, 0.16, 0.3, 0.6)
    )
    gap_jitter: float = 0.02  # standard deviation within a number; ours
    slant: Quantiles = (
        Quantiles(  # of the line of centres, degrees, positive = falling to the right
            (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1),
            (-43, -34, -18.5, -12, -5.4, 0, 3.7, 8.8, 12.5, 23, 40),
        )
    )
    # How the slant comes about; ours. Vertical shear is a facade seen from the side, rotation a
    # tilted plate or camera, steps are upright digits mounted on a diagonal.
    slant_kind_weights: tuple[float, float, float] = (0.5, 0.3, 0.2)  # shear, rotation, steps
    steps_from: float = 8.0  # degrees; below it there are no steps, but shear
    italic_rate: float = 0.2  # ours
    italic_degrees: float = 9.0  # standard deviation; ours
    perspective: float = 0.12  # standard deviation of the change of scale over the number; ours
    digit_rotation: float = 1.5  # degrees, standard deviation per digit; ours
    digit_scale: float = 0.015  # standard deviation per digit; ours
    margin: float = 0.012  # least distance of a digit from the image edge / image side; ours


@dataclass(frozen=True)
class StyleParameters:
    """How it looks. All ours: set beside SVHN's images, by eye and by grey-level statistics."""

    # Where a number's glyphs come from.
    family_weights: tuple[tuple[str, float], ...] = (
        ('stroke', 0.44),
        ('truetype', 0.36),
        ('hershey', 0.12),
        ('handwriting', 0.08),
    )
    wall_weights: tuple[tuple[str, float], ...] = (
        ('plain', 0.34),
        ('stucco', 0.24),
        ('brick', 0.17),
        ('planks', 0.15),
        ('panels', 0.10),
    )
    plate_rate: float = 0.62  # numbers on a plate; the others are mounted or painted on the wall
    tiles_rate: float = 0.06  # of the plates: one per digit
    border_rate: float = 0.45  # of the plates
    screw_rate: float = 0.2  # of the plates
    outline_rate: float = 0.12
    shadow_rate: float = 0.45  # of the numbers on the wall
    relief_rate: float = 0.35
    worn_rate: float = 0.25
    region_rate: float = 0.5  # an image edge where another surface begins: door, window, corner
    line_rate: float = 0.25  # joints and cables
    bars_rate: float = 0.05  # railings
    letter_rate: float = 0.04
    cast_shadow_rate: float = 0.12


@dataclass(frozen=True)
class DegradationParameters:
    """What camera and compression do.

    Levels are grey levels 0..255. Mean level, contrast and sharpness were set after 621 images of
    SVHN's training set, all that were at hand; splits for validation and test have been drawn from
    them since. Measured on the training part of a split alone (1,729 images: svhn-train, valid 300,
    seed 0) they are the same within the noise. At 5, 25, 50, 75 and 95 %, 621 and 1,729 images:

    - mean level of the image: 55 85 107 132 179 and 54 84 107 134 184
    - contrast, between the two classes of Otsu's threshold in a digit's box, mean over the image:
      25 38 50 67 99 and 24 36 49 65 97
    - sharpness, 95 % of the gradients in the box / contrast * height of the box, median over the
      image: 11.2 14.9 17.9 21.8 29.6 and 10.4 14.3 17.6 21.1 28.6
    """

    mean_level: Quantiles = Quantiles(
        (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (35, 56, 86, 108, 133, 182, 215)
    )
    # Mean of the digits' pixels against the ground around them; the least is what a person reads.
    contrast: Quantiles = Quantiles(
        (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (34, 42, 55, 72, 94, 132, 170), True
    )
    contrast_scale: tuple[float, float] = (0.25, 1.5)  # limits of the change made for it
    saturation: tuple[float, float] = (0.6, 1.6)
    saturation_limit: float = 1.15  # of saturation times change of contrast
    cast: float = 0.03  # standard deviation of each channel's gain
    tint: float = 2.0  # standard deviation of each channel's offset
    # Height in pixels that a digit really has in the photograph before it is enlarged to its size
    # in the image; the smaller, the more blurred.
    effective_height: Quantiles = Quantiles(
        (0, 0.05, 0.25, 0.5, 0.75, 1), (10, 12, 16, 23, 37, 90), True
    )
    blur: Quantiles = Quantiles(  # Gaussian sigma in digit heights
        (0, 0.25, 0.5, 0.75, 0.95, 1), (0.005, 0.010, 0.016, 0.026, 0.042, 0.055)
    )
    motion_rate: float = 0.12
    motion_length: tuple[float, float] = (0.05, 0.16)  # digit heights
    noise: tuple[float, float] = (0.5, 4.5)  # standard deviation
    colour_noise: tuple[float, float] = (0.5, 7.0)  # of blotches 0.06..0.25 digit heights wide
    jpeg_rate: float = 0.8
    jpeg_quality: tuple[int, int] = (40, 95)


LAYOUT = LayoutParameters()
STYLE = StyleParameters()
DEGRADATION = DegradationParameters()


@dataclass(frozen=True)
class Look:
    """How hard the scenes are to read."""

    layout: LayoutParameters
    degradation: DegradationParameters
    style: StyleParameters = STYLE


LOOKS = {
    'street': Look(LAYOUT, DEGRADATION),  # as hard as SVHN
    # Large, upright, sharp and well lit, so that a small model learns to read it within minutes.
    'clear': Look(
        replace(
            LAYOUT,
            digit_height=Quantiles((0, 0.5, 1), (20, 34, 80), True),
            number_height_ratio=Quantiles((0, 0.5, 1), (0.55, 0.72, 0.92)),
            slant=Quantiles((0, 0.25, 0.5, 0.75, 1), (-14, -3, 0, 3, 14)),
            italic_rate=0.1,
            perspective=0.06,
        ),
        replace(
            DEGRADATION,
            contrast=Quantiles((0, 0.5, 1), (60, 90, 170), True),
            effective_height=Quantiles((0, 0.5, 1), (20, 34, 90), True),
            blur=Quantiles((0, 0.5, 1), (0.005, 0.012, 0.025)),
            motion_rate=0.0,
            noise=(0.5, 2.5),
            colour_noise=(0.5, 3.0),
        ),
    ),
}


def choose(rng: np.random.Generator, weights: tuple[tuple[Any, float], ...]) -> Any:
    """Draw one of the first of (what, weight) pairs."""
    total = np.cumsum([weight for _, weight in weights])
    return weights[int(np.searchsorted(total, rng.random() * total[-1], side='right'))][0]
