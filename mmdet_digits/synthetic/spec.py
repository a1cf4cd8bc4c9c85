"""What a data set of scenes is to hold, and image by image how it is drawn."""

from dataclasses import dataclass

import numpy as np

from mmdet_digits.coco.folders import SPLITS
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.parameters import LOOKS
from mmdet_digits.synthetic.scenes import Scene, draw_scene
from mmdet_digits.synthetic.sources import DEFAULT, SceneSource, load_supplies


@dataclass(frozen=True)
class DatasetSpec:
    """What to draw. The same values give the same bytes.

    Args:
        train: Images in ``train/``.
        valid: Images in ``valid/``.
        test: Images in ``test/``.
        seed: Not negative.
        look: How hard the scenes are to read: ``'street'``, as SVHN, or ``'clear'``.
        source: What they are made from.
    """

    train: int = 2000
    valid: int = 200
    test: int = 200
    seed: int = 0
    look: str = 'street'
    source: SceneSource = DEFAULT

    def __post_init__(self):
        if self.look not in LOOKS:
            raise InputError(
                f'--look {self.look}: no such look.', self.look, ' or '.join(LOOKS), 'choose one'
            )
        for name, value in {**self.counts, 'seed': self.seed}.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise InputError(
                    f'--{name} {value}: not possible.',
                    repr(value),
                    'a whole number, 0 or more',
                    f'give another --{name}',
                )
        if not any(self.counts.values()):
            raise InputError(
                'There is nothing to draw.',
                '--train, --valid and --test are all 0',
                'at least one image',
                'give one of them a number',
            )

    @property
    def counts(self) -> dict[str, int]:
        """Images per split."""
        return {split: getattr(self, split) for split in SPLITS}

    def record(self) -> dict:
        """The values for JSON; ``source`` only where files or ingredients differ from the default.

        Files are named with a hash of what is in them: with other content they draw other scenes.
        """
        values = {**self.counts, 'seed': self.seed, 'look': self.look}
        source = self.source.record()
        return values | ({'source': source} if source else {})


def draw_image(spec: DatasetSpec, split: str, index: int) -> Scene:
    """Draw image ``index`` (from 1) of a split; its generator depends on nothing else."""
    sequence = np.random.SeedSequence((spec.seed, SPLITS.index(split), index))
    return draw_scene(np.random.default_rng(sequence), load_supplies(spec.source), look=spec.look)
