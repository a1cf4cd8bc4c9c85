"""Training by epochs that can go on in the middle of one."""

from mmdet.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

PROGRESS = 'epoch_progress'
"""Under this name a checkpoint holds (batches done, batches) of the epoch it was written in."""


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's loop, which also resumes from a checkpoint that was written within an epoch.

    The batches that the epoch has seen are left out, without loading their images; the others
    come in the order that they would have had. MMEngine's own loop starts the epoch over.

    Arguments are those of :class:`mmengine.runner.EpochBasedTrainLoop`.
    """

    def run_epoch(self) -> None:
        """Train one epoch, or what is left of it."""
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
