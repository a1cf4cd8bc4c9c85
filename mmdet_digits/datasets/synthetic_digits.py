"""Drawn scenes as a data set that needs no files and has no end."""

from collections.abc import Mapping

import numpy as np
from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

from mmdet_digits.boxes import corners
from mmdet_digits.coco.folders import SPLITS
from mmdet_digits.datasets.digits_dataset import DigitsDataset
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic import Scene, SceneSource, draw_scene, load_supplies
from mmdet_digits.synthetic.writer import DatasetSpec, draw_image

ENDLESS = len(SPLITS)
"""Keeps the generators of endless scenes apart from those of the splits."""


@DATASETS.register_module()
class SyntheticDigits(BaseDataset):
    """Scenes drawn when they are asked for, new ones in each epoch.

    Works as :class:`DigitsDataset` does, from the loaded image on: a pipeline for it is one of
    that data set without its first step, which loads the image. (mmdet's ``LoadImageFromNDArray``
    may stand there, and changes nothing.)

    The drawing is the first step of the pipeline and draws from NumPy's global generator, as the
    augmentation does. ``ResumableTrainLoop`` seeds it from (seed of the run, epoch, index), so
    that a scene depends on nothing else: not on the number of workers, nor on an interruption.

    The size of an image is not known before it is drawn. Samplers that group images by their
    shape, or classes that count the digits of each image, therefore need data on disk.

    Args:
        length: images per epoch.
        seed: not negative; another one for each of several such data sets.
        look: how hard the scenes are to read, ``'street'`` or ``'clear'``.
        source: arguments of :class:`SceneSource`: files of the user, ingredients to leave out.
        fixed: the same scenes in each epoch: those that ``tools/prepare_data.py synthetic`` writes.
        split: which of its splits, where they are fixed.
        test_mode: for validation and testing; the scenes are then fixed.
        **kwargs: those of :class:`mmengine.dataset.BaseDataset`.

    Raises:
        InputError: a value is not possible, or a file of the source is not what it should be.
    """

    METAINFO = DigitsDataset.METAINFO

    def __init__(
        self,
        length: int,
        seed: int = 0,
        look: str = 'street',
        source: Mapping | None = None,
        fixed: bool = False,
        split: str = 'train',
        test_mode: bool = False,
        **kwargs,
    ) -> None:
        check_extent(length, split)
        self.fixed = fixed or test_mode
        self.split = split
        counts = {**dict.fromkeys(SPLITS, 0), split: length}
        self.spec = DatasetSpec(
            **counts, seed=seed, look=look, source=SceneSource.from_options(source or {})
        )
        for note in load_supplies(self.spec.source).notes:  # read once, before workers start
            MMLogger.get_current_instance().info(note)
        super().__init__(test_mode=test_mode, **kwargs)
        self.pipeline.transforms.insert(0, self._draw)

    def load_data_list(self) -> list[dict]:
        """Number the images from 1."""
        return [{'img_id': index} for index in range(1, self.spec.counts[self.split] + 1)]

    def _draw(self, info: dict) -> dict:
        """Add the image and its boxes, as loading and parsing them would."""
        scene = self._scene(info['img_id'])
        folder = self.split if self.fixed else 'endless'
        shape = scene.image.shape[:2]
        return info | {
            'img': scene.image,
            'img_path': f'{folder}/{info["img_id"]}.png',
            'img_shape': shape,
            'ori_shape': shape,
            'height': shape[0],
            'width': shape[1],
            'instances': instances(scene),
        }

    def _scene(self, number: int) -> Scene:
        if self.fixed:
            return draw_image(self.spec, self.split, number)
        here_and_now = np.random.randint(2**32, size=4, dtype=np.uint32).tolist()
        sequence = np.random.SeedSequence((self.spec.seed, ENDLESS, *here_and_now))
        supplies = load_supplies(self.spec.source)
        return draw_scene(np.random.default_rng(sequence), supplies, look=self.spec.look)


def check_extent(length: int, split: str) -> None:
    """Raise InputError unless there is such a split, and at least one image."""
    if split not in SPLITS:
        raise InputError('There is no such split.', repr(split), ', '.join(SPLITS), 'choose one')
    if type(length) is not int or length < 1:
        raise InputError(
            'There is nothing to draw.',
            f'length={length!r}',
            'the number of images per epoch, 1 or more',
            'correct length of the data set',
        )


def instances(scene: Scene) -> list[dict]:
    """The boxes of a scene as mmdet's data sets list them: corners, label, not ignored."""
    return [
        {'bbox': box, 'bbox_label': int(digit), 'ignore_flag': 0}
        for box, digit in zip(corners(scene.bboxes).tolist(), scene.digits, strict=True)
    ]
