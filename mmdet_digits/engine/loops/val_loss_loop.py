"""Validation that measures the losses beside the metrics."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import torch
from mmcv.transforms import LoadAnnotations, Resize
from mmdet.registry import LOOPS
from mmdet.structures import DetDataSample
from mmengine.dataset import Compose
from mmengine.dist import all_gather_object, get_dist_info
from mmengine.runner import ValLoop
from mmengine.runner.amp import autocast

from mmdet_digits.engine.distributed import unwrapped
from mmdet_digits.engine.predict_with_loss import predict_with_loss
from mmdet_digits.engine.randomness import VALIDATION_STEP, preserved_randomness, seed_from
from mmdet_digits.errors import InputError


@LOOPS.register_module()
class ValLossLoop(ValLoop):
    """MMEngine's ``ValLoop`` with ``val/loss``, ``val/loss_cls``, ... beside the metrics.

    Losses and predictions come from one pass through backbone and neck, with the model in eval
    mode. The losses are ``model.loss``'s, averaged over the images: anchors and RoIs are sampled
    as in training, from proposals as at test time. Each image counts once, also where the sampler
    repeats some so that all ranks have as many. The sampling is the same in every epoch and
    on every resume, since the random generators are seeded from (seed, batch, rank), and training
    continues with the random numbers it would have had without validation.

    Both published systems ran the network twice, the second time in training mode, which for
    batch norm layers that are not frozen also changes the model.

    Args:
        runner: the runner.
        dataloader: of the validation set.
        evaluator: the metrics.
        fp16: run the model in mixed precision.
        share_proposals: whether the RoIs of the loss are sampled from the proposals of the
            prediction (``test_cfg.rpn``); if not, from proposals of their own, as many as in
            training (``train_cfg.rpn_proposal``).

    Raises:
        InputError: the pipeline loads no ground truth, or loads it before the image is resized.
    """

    def __init__(
        self, runner, dataloader, evaluator, fp16: bool = False, share_proposals: bool = True
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.share_proposals = share_proposals
        for pipeline in find_pipelines(self.dataloader.dataset):
            check_ground_truth(pipeline.transforms)

    def run(self) -> dict[str, float]:
        """Validate once."""
        with preserved_randomness():
            self.runner.call_hook('before_val')
            self.runner.call_hook('before_val_epoch')
            self.runner.model.eval()
            self._sums, self._images = defaultdict(float), 0
            for idx, data_batch in enumerate(self.dataloader):
                self.run_iter(idx, data_batch)
            metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
            metrics.update(self._mean_losses())
            self.runner.call_hook('after_val_epoch', metrics=metrics)
            self.runner.call_hook('after_val')
        return metrics

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Predict one batch, add up its losses."""
        data_batch = self._without_repeats(data_batch)
        self.runner.call_hook('before_val_iter', batch_idx=idx, data_batch=data_batch)
        outputs = self._predict(idx, data_batch) if data_batch['inputs'] else []
        self.runner.call_hook(
            'after_val_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs
        )

    def _without_repeats(self, data_batch: dict) -> dict:
        """A batch without the images that the sampler gives this rank in addition to its own."""
        rank, world_size = get_dist_info()
        own = len(range(rank, len(self.dataloader.dataset), world_size))
        return {key: values[: own - self._images] for key, values in data_batch.items()}

    def _predict(self, idx: int, data_batch: dict) -> list[DetDataSample]:
        """Predict images, add up their losses."""
        model = unwrapped(self.runner.model)
        seed_from(VALIDATION_STEP, self.runner.seed, idx, self.runner.rank)
        with autocast(enabled=self.fp16):
            outputs, losses = predict_with_loss(model, data_batch, self.share_proposals)
        for name, value in losses.items():
            self._sums[name] += value.item() * len(outputs)  # a float: mps has no float64
        self._images += len(outputs)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        return outputs

    def _mean_losses(self) -> dict[str, float]:
        """The losses averaged over the images of all ranks, under ``val/``."""
        ranks = all_gather_object((self._images, self._sums))  # a rank may have no image
        images = sum(count for count, _ in ranks)
        totals = Counter()
        for _, sums in ranks:
            totals.update(sums)
        return {f'val/{name}': total / images for name, total in totals.items()}


def find_pipelines(dataset) -> Iterator[Compose]:
    """The pipelines that load the images of a data set, those inside wrappers included.

    Args:
        dataset: a data set of MMEngine, or a wrapper with ``dataset`` or ``datasets``.
    """
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for member in filter(None, inner):
        yield from find_pipelines(member)
    if not any(inner) and hasattr(dataset, 'pipeline'):
        yield dataset.pipeline


def check_ground_truth(transforms: list) -> None:
    """Check that a validation pipeline keeps the ground truth in pixels of the original image.

    Args:
        transforms: of the pipeline, built.

    Raises:
        InputError: it does not, or loads none.
    """
    names = ', '.join(type(transform).__name__ for transform in transforms)
    loads = [i for i, step in enumerate(transforms) if isinstance(step, LoadAnnotations)]
    resizes = [i for i, step in enumerate(transforms) if isinstance(step, Resize)]
    if not loads or (resizes and loads[0] < resizes[-1]):
        raise InputError(
            'The validation loss needs the ground truth, in pixels of the original image.',
            f'val_dataloader.dataset.pipeline: {names}',
            'LoadAnnotations(with_bbox=True) after the last Resize',
            "put it there, or validate without losses: val_cfg.type='ValLoop'",
        )
