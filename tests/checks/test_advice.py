"""What the checks advise as ``--cfg-options`` is given to the config: the fault is gone then."""

import re
from pathlib import Path
from urllib.error import URLError

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.keys import check_keys
from mmdet_digits.checks.preflight import check_config, check_options
from mmdet_digits.checks.weights import check_source, options_without, weight_sources
from mmdet_digits.cli import config_parser
from mmdet_digits.launching import weights_unavailable

CONFIGS = sorted(Path(__file__).resolve().parents[2].glob('configs/[!_]*/*.py'))


def follow(cfg: Config, advice: str) -> Config:
    """Give a config what follows ``--cfg-options`` in an advice, as the command line does."""
    options = re.search(r'--cfg-options((?:\s+\+?[\w.]+=[^\s,;]+)+)', advice)[1].split()
    parsed = config_parser('test').parse_args(['x.py', '--cfg-options', *options]).cfg_options
    assert check_options(cfg.to_dict(), parsed) == []
    changed = Config(cfg.to_dict())
    changed.merge_from_dict({key.lstrip('+'): value for key, value in parsed.items()})
    return changed


def wrong(cfg: Config) -> dict[str, str]:
    """Advice by name of each check that does not pass."""
    checks = check_config(cfg.to_dict(), {}, training=True)
    return {check.name: check.fix for check in checks if check.status is not Status.OK}


@pytest.mark.parametrize(
    ('path', 'value', 'name'),
    [
        ('model.roi_head.bbox_head.num_classes', 11, 'num_classes is not'),
        ('train_dataloader.batch_size', 4, 'The learning rate does not go'),
        ('load_from', 'nothing.pth', 'The starting weights are not there'),
    ],
)
def test_an_option_that_is_advised_removes_the_fault(cfg, path, value, name):
    sound = set(wrong(cfg))
    cfg.merge_from_dict({path: value})
    (found,) = set(wrong(cfg)) - sound
    assert found.startswith(name)
    assert set(wrong(follow(cfg, wrong(cfg)[found]))) == sound


def test_only_the_weights_that_could_not_be_fetched_are_blamed(cfg):
    cfg.merge_from_dict({'load_from': 'https://a.org/epoch_12.pth'})
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    for path, source in weight_sources(cfg):
        error = weights_unavailable(cfg, URLError('no network', source))
        assert error.found == f'{path}={source}'
        assert f'{path}=FILE.pth' in error.fix
    both = weights_unavailable(cfg, URLError('no network'))
    assert both.found == 'load_from=https://a.org/epoch_12.pth, ' + error.found


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config_can_do_without_its_weights(path, monkeypatch):
    """Without those of a URL, by the message of a training and by that of the doctor."""
    monkeypatch.setenv('DIGITS_DATA_ROOT', 'data')
    cfg = Config.fromfile(path)
    sources = [(place, name) for place, name in weight_sources(cfg) if '://' in name]
    if not sources:
        pytest.skip('starts from a file, or from random weights')
    text = str(weights_unavailable(cfg, URLError('no network')))
    given, _, random = text.partition('\n       or ')
    for place, _ in sources:
        missing = check_source(place, 'nothing.pth', False, options_without(cfg, place))
        for advice in (random, missing.fix):
            changed = follow(cfg, advice)
            assert [s for s in weight_sources(changed) if '://' in s[1]] == []
            assert check_keys(changed.to_dict())[0].status is Status.OK
    files = dict(weight_sources(follow(cfg, given)))
    assert {files[place] for place, _ in sources} == {'FILE.pth'}
    if 'frozen_stages' in changed.model.backbone:
        assert changed.model.backbone.frozen_stages == -1
    MODELS.build(changed.model.backbone).init_weights()
