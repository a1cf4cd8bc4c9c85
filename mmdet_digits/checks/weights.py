"""Whether the weights that a config starts from can be had."""

import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.checks.keys import typed_dicts
from mmdet_digits.errors import InputError
from mmdet_digits.repository import REPOSITORY

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
    checks += [
        Check('Starting weights', Status.OK, f'{path}.pretrained={node["pretrained"]} fetches them')
        for path, node in typed_dicts(cfg.get('model'), 'model')
        if node.get('pretrained')
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
        source: as for :func:`mmdet_digits.checkpoints.sources.resolve`.
        ask: ask its server, if it has to be fetched.
        without: what to give ``--cfg-options`` to do without it.
    """
    # imports torch, and a config without weights does without
    from mmdet_digits.checkpoints.sources import resolve

    try:
        url, file = resolve(source)
    except InputError as error:
        return Check(
            error.what,
            Status.FAIL,
            f'{path}={source}',
            error.expected,
            f'{error.fix}; or start without, every layer trained:\n'
            f'         --cfg-options {without}',
        )
    if file.is_file():
        return Check('Starting weights', Status.OK, f'{path}={source}' + f' ({file})' * bool(url))
    if not url:
        here = '' if file.is_absolute() else f' in {Path.cwd()}'
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
    return ask_server(path, source, url, file, without)


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
            f'fetch it on another machine and put it here as {cached},\n'
            f'       or --cfg-options {path}=FILE.pth\n'
            f'       or start without, every layer trained: --cfg-options {without}',
        )
    return Check('Starting weights', Status.OK, f'{path}={source}: {size:.0f} MiB at {url}')
