"""Training by epochs that can go on in the middle of one, as if it had not been interrupted."""

from mmdet.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from mmdet_digits.engine.randomness import TRAINING_STEP, seed_from

PROGRESS = 'epoch_progress'
"""Under this name a checkpoint holds (batches done, batches) of the epoch it was written in."""


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's loop, but a run that is resumed equals one that was not interrupted, bit for bit.

    MMEngine's checkpoints hold no state of a random generator, and its loop starts an interrupted
    epoch over. Here

    - there is no state to save: the generators are seeded from (seed, epoch, index) before each
      image, see ``SeededSamples``, and from (seed, iteration, rank) before each step, for what
      the model draws: anchors, RoIs, dropout. MMEngine's sampler shuffles by seed + epoch;
    - the batches that the epoch has seen are left out, without loading their images; the others
      come in the order that they would have had.

    Args:
        runner: the runner.
        dataloader: of the training set, as a config.
        **kwargs: those of :class:`mmengine.runner.EpochBasedTrainLoop`.
    """

    def __init__(self, runner, dataloader: dict, **kwargs) -> None:
        seeded = dict(type='SeededSamples', dataset=dataloader['dataset'], seed=runner.seed)
        super().__init__(runner, {**dataloader, 'dataset': seeded}, **kwargs)

    def run_epoch(self) -> None:
        """Train one epoch, or what is left of it."""
        self.dataloader.dataset.set_epoch(self._epoch)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._take_progress()
        batches = remaining_batches(self.dataloader, done) if done else self.dataloader
        for idx, data_batch in enumerate(batches, start=done):
            self.run_iter(idx, data_batch)
        self.runner.message_hub.pop_info(PROGRESS)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Train one batch; a checkpoint of just after it knows which one it was."""
        seed_from(TRAINING_STEP, self.runner.seed, self._iter, self.runner.rank)
        self.runner.message_hub.update_info(PROGRESS, (idx + 1, len(self.dataloader)))
        super().run_iter(idx, data_batch)

    def _take_progress(self) -> int:
        """How many batches of this epoch the checkpoint that was resumed from has seen."""
        done, total = self.runner.message_hub.pop_info(PROGRESS, (0, len(self.dataloader)))
        if total != len(self.dataloader):
            self.runner.logger.warning(
                f'The checkpoint was written after {done} of {total} batches of epoch '
                f'{self._epoch + 1}, which now has {len(self.dataloader)}: it starts over.'
            )
            return 0
        return done


def remaining_batches(dataloader: DataLoader, done: int) -> DataLoader:
    """A loader of the batches that one epoch still has to see.

    Args:
        dataloader: of an epoch, whose sampler gives the same order each time.
        done: how many batches to leave out.
    """
    return DataLoader(
        dataloader.dataset,
        batch_sampler=list(dataloader.batch_sampler)[done:],
        num_workers=dataloader.num_workers,
        collate_fn=dataloader.collate_fn,
        pin_memory=dataloader.pin_memory,
        timeout=dataloader.timeout,
        worker_init_fn=dataloader.worker_init_fn,
        multiprocessing_context=dataloader.multiprocessing_context,
        prefetch_factor=dataloader.prefetch_factor,
    )
