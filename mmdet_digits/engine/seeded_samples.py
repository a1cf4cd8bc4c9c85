"""A training set whose random choices depend on nothing but seed, epoch and index."""

import torch
from mmdet.registry import DATASETS
from torch.utils.data import Dataset

from mmdet_digits.engine.randomness import TRAINING_SAMPLE, seed_from


@DATASETS.register_module()
class SeededSamples(Dataset):
    """Seed the generators from (seed, epoch, index) before each image is loaded.

    So an image looks the same in the same epoch whatever the number of data loader workers, ranks
    or images per batch, and after a resume. The index is that of the whole training set: the copies
    of an image under ``RepeatDataset`` differ.

    MMEngine seeds its workers once: with ``persistent_workers=False`` each epoch has the same
    stream, with True a resumed run starts it again.

    Args:
        dataset: config of the training set, wrappers and all.
        seed: of the run.
    """

    def __init__(self, dataset: dict, seed: int) -> None:
        self.dataset = DATASETS.build(dataset)
        self.seed = seed
        self._epoch = torch.tensor(0).share_memory_()  # persistent workers see it change

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, from 0."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> dict:
        """Load one image, augmented."""
        seed_from(TRAINING_SAMPLE, self.seed, int(self._epoch), index)
        return self.dataset[index]

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def metainfo(self) -> dict:
        """That of the training set."""
        return self.dataset.metainfo
