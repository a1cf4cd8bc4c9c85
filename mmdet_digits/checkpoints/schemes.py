"""MMEngine's ways to name a checkpoint, all of them read by :mod:`.reading`.

MMEngine's own loaders fall back to running code: those of files after a warning, that of downloads
without one. Every prefix it knows is registered here again, so that none of them is left.
"""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    get_deprecated_model_names,
    get_external_models,
    get_torchvision_models,
)

from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.utils.errors import InputError

HASH = re.compile(r'-([0-9a-f]{8,})\.')
UNSUPPORTED = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://', 'mmcls://')


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: str | Callable | None = None) -> dict:
    """Read a file of this machine."""
    return read_checkpoint(Path(filename).expanduser())


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: str | Callable | None = None) -> dict:
    """Fetch a file once, into torch.hub's cache, and read it.

    A hash in its name, as torchvision's and mmdet's files have it, has to be right.

    Raises:
        URLError: it cannot be fetched.
    """
    name = Path(urlparse(filename).path).name
    path = Path(torch.hub.get_dir(), 'checkpoints', name)
    if get_rank() == 0:
        _fetch(filename, path)
    barrier()
    _fetch(filename, path)  # on other machines of the run
    return read_checkpoint(path)


@CheckpointLoader.register_scheme(prefixes=('modelzoo://', 'torchvision://'), force=True)
def load_from_torchvision(filename: str, map_location: str | Callable | None = None) -> dict:
    """Fetch weights of a torchvision model."""
    return load_from_http(_known(get_torchvision_models(), filename), map_location)


@CheckpointLoader.register_scheme(prefixes=('open-mmlab://', 'openmmlab://'), force=True)
def load_from_openmmlab(filename: str, map_location: str | Callable | None = None) -> dict:
    """Fetch weights that OpenMMLab gave a name."""
    renamed = get_deprecated_model_names()
    models = get_external_models()
    models |= {old: models[new] for old, new in renamed.items() if new in models}
    return load_from_http(_known(models, filename), map_location)


@CheckpointLoader.register_scheme(prefixes=UNSUPPORTED, force=True)
def load_from_elsewhere(filename: str, map_location: str | Callable | None = None) -> dict:
    """Refuse what could not be read safely."""
    raise InputError(
        f'{filename}: not read from there.',
        filename,
        'a file, or an address that begins with http://, https:// or torchvision://',
        'fetch the file and give its path',
    )


def _known(models: dict[str, str], filename: str) -> str:
    name = filename.partition('://')[2]
    if name not in models:
        raise InputError(
            f'{filename}: unknown weights.', name, 'a name that MMEngine knows', 'correct the name'
        )
    return models[name]


def _fetch(url: str, path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    found = HASH.search(path.name)
    try:
        torch.hub.download_url_to_file(url, str(path), found and found[1], progress=False)
    except RuntimeError as error:
        raise InputError(
            f'{url}: not the file that its name promises.',
            str(error),
            f'a hash that begins with {found and found[1]}',
            'try again, or fetch it by other means and give its path',
        ) from error
