"""What a programme runs, at full size and for a rehearsal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What is run, and how long it may take.

    Args:
        detectors: whose training steps are timed; the last one is that of the recipes.
        batches: images per step; the first one is that of the recipes.
        repeats: steps that count.
        recipes: two configs: one for drawn scenes, and one that goes on from there on photographs.
        most_images: that a training sees.
        seconds: the least and the most of each stage, by its name or what it begins with.
    """

    detectors: tuple[str, ...]
    batches: tuple[int, ...]
    repeats: int
    recipes: tuple[str, str]
    most_images: float
    seconds: Mapping[str, tuple[float, float]]

    def seconds_of(self, stage: str) -> tuple[float, float]:
        """The least and the most seconds of a stage."""
        return self.seconds.get(stage) or self.seconds[stage.partition(':')[0]]


FULL = Sizes(
    detectors=('torchvision', 'frcnn_v2_fp32', 'frcnn_fp32'),
    batches=(24, 16),
    repeats=5,
    recipes=('frcnn_synthetic', 'frcnn_best'),
    most_images=math.inf,
    seconds={
        'environment': (12, 60),
        'starting weights': (3, 30),
        'speed: torchvision': (60, 120),
        'speed': (20, 60),
        'training': (40, math.inf),
        'test': (20, 90),
        'weights': (8, 40),
        'profile': (12, 40),
    },
)
TINY = Sizes(
    detectors=('frcnn_tiny',),
    batches=(8,),
    repeats=1,
    recipes=('frcnn_tiny_synthetic', 'frcnn_tiny'),
    most_images=64,
    seconds={
        'environment': (9, 60),
        'starting weights': (1, 10),
        'speed': (12, 60),
        'training': (20, 90),
        'test': (13, 60),
        'weights': (4, 40),
        'profile': (12, 60),
    },
)
SIZES = dict(full=FULL, tiny=TINY)
