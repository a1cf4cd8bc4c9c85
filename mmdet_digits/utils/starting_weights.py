"""Whether the weights that a config starts from can be had."""

import difflib
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlparse

from mmdet_digits.utils.checks import Check, Status
from mmdet_digits.utils.config_keys import typed_dicts
from mmdet_digits.utils.repository import REPOSITORY

TIMEOUT = 10  # seconds


def check_weights(cfg: Mapping, ask: bool = False) -> list[Check]:
    """Check that every file of weights that a config names is there.

    Args:
        cfg: a config.
        ask: ask the servers for what is neither a local file nor in the cache; without it, that it
            would have to be fetched is only said.
    """
    sources = dict(weight_sources(cfg))
    checks = [
        check_source(path, source, ask, options_without(cfg, path))
        for path, source in sources.items()
    ]
    return checks or [Check('Starting weights', Status.OK, 'none: training from random weights')]


def weight_sources(cfg: Mapping) -> Iterator[tuple[str, str]]:
    """Path and value of each place in a config that names weights."""
    if cfg.get('load_from'):
        yield 'load_from', cfg['load_from']
    for path, node in typed_dicts(cfg.get('model'), 'model'):
        if node['type'] == 'Pretrained' and node.get('checkpoint'):
            yield f'{path}.checkpoint', node['checkpoint']


def options_without(cfg: Mapping, path: str) -> str:
    """What to give ``--cfg-options`` to start without some weights, with every layer trained.

    Args:
        cfg: a config.
        path: of its weights, as :func:`weight_sources` gives it.
    """
    module = 'model' if path == 'load_from' else path.partition('.init_cfg')[0]
    node = cfg
    for key in module.split('.'):
        node = node[int(key) if isinstance(node, list | tuple) else key]
    parts = {module: node, f'{module}.backbone': node.get('backbone') or {}}
    if path == 'load_from' and len(dict(weight_sources(cfg))) > 1:
        parts = {}  # what is frozen has the other weights
    unfrozen = [
        f'{name}.{key}={value}'
        for name, part in parts.items()
        for key, value in dict(frozen_stages=-1, norm_eval=False).items()
        if key in part
    ]
    without = 'load_from=None' if path == 'load_from' else f'{module}.init_cfg=None'
    return ' '.join([without, *unfrozen])


def check_source(path: str, source: str, ask: bool, without: str) -> Check:
    """Check one source of weights.

    Args:
        path: where the config names it.
        source: a file, an address, or a name such as ``torchvision://resnet50``.
        ask: ask its server, if it has to be fetched.
        without: what to give ``--cfg-options`` to do without it.
    """
    try:
        url = find_url(source)
    except KeyError as error:
        return Check(
            'No weights have this name.',
            Status.FAIL,
            f'{path}={source}',
            str(error.args[0]),
            f'correct {path}',
        )
    cached = cache_file(url) if url else Path(source).expanduser()
    if cached.is_file():
        return Check('Starting weights', Status.OK, f'{path}={source}' + f' ({cached})' * bool(url))
    if not url:
        here = '' if cached.is_absolute() else f' in {Path.cwd()}'
        return Check(
            'The starting weights are not there.',
            Status.FAIL,
            f'{path}={source}: no such file{here}',
            'a file of weights (.pth)',
            f'{_training_first(source)}correct {path}; or start without, every layer trained:\n'
            f'         --cfg-options {without}',
        )
    if not ask:
        return Check('Starting weights', Status.OK, f'{path}={source} will be fetched from {url}')
    return ask_server(path, source, url, cached, without)


def _training_first(source: str) -> str:
    """How to make a file that one of the configs writes, seen from the folder of the run."""
    folder, name, *_ = (*Path(source).parts, '', '')
    config = Path('configs', 'digits', f'{name}.py')
    if folder == 'work_dirs' and (REPOSITORY / config).is_file():
        return f'train {config} first, in this folder; or '
    return ''


def ask_server(path: str, source: str, url: str, cached: Path, without: str) -> Check:
    """Ask a server whether it has a file, without fetching it."""
    request = urllib.request.Request(url, method='HEAD', headers={'User-Agent': 'Mozilla/5.0'})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            size = int(answer.headers.get('Content-Length', 0)) / 2**20
    except (OSError, ValueError) as error:  # URLError is an OSError
        return Check(
            'The starting weights are out of reach.',
            Status.FAIL,
            f'{path}={source}: {error} for {url}',
            'a connection, or the file',
            f'fetch it on another machine and put it in {cached.parent},\n'
            f'       or --cfg-options {path}=FILE.pth\n'
            f'       or start without, every layer trained: --cfg-options {without}',
        )
    return Check('Starting weights', Status.OK, f'{path}={source}: {size:.0f} MiB at {url}')


def find_url(source: str) -> str | None:
    """The address that a source of weights stands for; None for a local file.

    Raises:
        KeyError: a scheme does not know the name; its message names the nearest.
    """
    scheme, separator, name = source.partition('://')
    if not separator or scheme in ('http', 'https'):
        return source if separator else None
    names = _names_of_scheme(scheme)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        raise KeyError(
            f'{scheme}://{near[0]}, the nearest that is known' if near else 'http:// or a file'
        )
    return names[name]


def _names_of_scheme(scheme: str) -> dict[str, str]:
    """Address by name, for the schemes of MMEngine and of this project."""
    from mmengine.runner import checkpoint
    from torchvision.models import get_model_weights

    from mmdet_digits.models import torchvision_weights

    if f'{scheme}://' == torchvision_weights.SCHEME:
        archs = torchvision_weights.ARCHS
        return {arch: get_model_weights(arch).DEFAULT.url for arch in archs}
    listings = {
        'torchvision': checkpoint.get_torchvision_models,
        'modelzoo': checkpoint.get_torchvision_models,
        'open-mmlab': checkpoint.get_external_models,
        'openmmlab': checkpoint.get_external_models,
        'mmcls': checkpoint.get_mmcls_models,
    }
    return dict(listings[scheme]()) if scheme in listings else {}


def cache_file(url: str) -> Path:
    """Where torch keeps a file that it fetched."""
    import torch

    return Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(url).path).name)
