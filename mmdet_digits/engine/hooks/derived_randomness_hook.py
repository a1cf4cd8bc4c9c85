"""Random choices that do not depend on what happened before, so that a resumed run repeats them."""

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor

from mmdet_digits.engine.pipelines import find_pipelines
from mmdet_digits.engine.randomness import TRAINING_SAMPLE, TRAINING_STEP, seed_from


@HOOKS.register_module()
class DerivedRandomnessHook(Hook):
    """Derive every random choice of a training from the seed and from where it is made.

    MMEngine's checkpoints hold no state of a random generator: after a resume, the anchors and
    RoIs that are sampled, dropout and the augmentation are other ones. Here there is no state to
    save. The generators are seeded

    - before each iteration from (seed, iteration, rank), for what the model draws;
    - in the data worker, before each image, from (seed, epoch, image), for the augmentation. So an
      image looks the same in the same epoch, whatever the number of workers, ranks or images per
      batch. (MMEngine seeds its workers once: with ``persistent_workers=False`` every epoch has
      the same stream, with True a resumed run starts it again.)

    Together with MMEngine's sampler, which shuffles by seed + epoch, a run that is interrupted and
    resumed equals one that is not, bit for bit. A ``RepeatDataset`` shows an image with the same
    augmentation each time within an epoch.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        """Put the seeding in front of each training pipeline, before any worker is started."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            runner.logger.warning(
                'DerivedRandomnessHook: the training counts no epochs, so its augmentation is not '
                'derived from them; a resumed run will see other images.'
            )
            self._epoch = torch.tensor(0)
            return
        self._epoch = torch.tensor(runner.epoch).share_memory_()
        for pipeline in find_pipelines(runner.train_dataloader.dataset):
            pipeline.transforms.insert(0, SeedBySample(runner.seed, self._epoch))

    def before_train_epoch(self, runner) -> None:
        """Tell the workers the epoch: they fetch its first image after this."""
        self._epoch.fill_(runner.epoch)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Seed the generators that the model draws from."""
        seed_from(TRAINING_STEP, runner.seed, runner.iter, runner.rank)


class SeedBySample:
    """A transform that changes no data: it seeds the generators for those that follow.

    Args:
        seed: of the run.
        epoch: one integer in shared memory.
    """

    def __init__(self, seed: int, epoch: Tensor) -> None:
        self.seed = seed
        self.epoch = epoch

    def __call__(self, results: dict) -> dict:
        """Seed from ``results['sample_idx']``, the index that the data set counts by."""
        seed_from(TRAINING_SAMPLE, self.seed, int(self.epoch), results['sample_idx'])
        return results
