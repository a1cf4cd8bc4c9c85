"""The transforms behind a data loader."""

from collections.abc import Iterator

from mmengine.dataset import Compose


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
