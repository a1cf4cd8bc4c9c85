"""How much of a batch is padding."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmdet_digits.engine.batch_reports import padded_shape


@dataclass(frozen=True)
class Padding:
    """Pixels of batches, and what they are for.

    Attributes:
        images: pixels of the images themselves.
        differing: added to make the images of a batch equally large.
        rounding: added to bring the sides of batches to a multiple of the divisor.
    """

    images: int = 0
    differing: int = 0
    rounding: int = 0

    def __add__(self, other: 'Padding') -> 'Padding':
        return Padding(
            self.images + other.images,
            self.differing + other.differing,
            self.rounding + other.rounding,
        )

    @property
    def pixels(self) -> int:
        """All pixels that the model gets."""
        return self.images + self.differing + self.rounding

    def shares(self) -> tuple[float, float, float]:
        """The shares of padding in all pixels: altogether, for differing sizes, for rounding."""
        padding = (self.differing + self.rounding, self.differing, self.rounding)
        return tuple(part / self.pixels for part in padding)


def padding_of(shapes: Sequence[tuple[int, int]], divisor: int) -> Padding:
    """The padding of one batch.

    Args:
        shapes: (height, width) of its images in pixels, as the model gets them.
        divisor: sides are padded to multiples of this, the ``pad_size_divisor`` of the model.
    """
    images = sum(height * width for height, width in shapes)
    even, padded = (
        len(shapes) * height * width
        for height, width in (padded_shape(shapes, 1), padded_shape(shapes, divisor))
    )
    return Padding(images, even - images, padded - even)
