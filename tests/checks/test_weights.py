import http.server
import threading

import pytest
import torch

from mmdet_digits.checkpoints.sources import resolve
from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.weights import check_weights, weight_sources


def cfg(**keys):
    return dict(model=dict(backbone=dict(type='ResNet')), **keys)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder in which torch keeps what it fetched."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    (tmp_path / 'hub' / 'checkpoints').mkdir(parents=True)
    return tmp_path / 'hub' / 'checkpoints'


@pytest.fixture
def server(tmp_path):
    """The address of a server that has one file of 3 MiB, weights.pth."""
    (tmp_path / 'weights.pth').write_bytes(bytes(3 * 2**20))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=tmp_path)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_sources_are_found_wherever_the_model_has_them():
    init = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    model = dict(backbone=dict(type='ResNet', init_cfg=init), neck=[dict(init_cfg=[init])])
    sources = dict(weight_sources(dict(load_from='a.pth', model=model)))
    assert sources == {
        'load_from': 'a.pth',
        'model.backbone.init_cfg.checkpoint': 'torchvision://resnet50',
        'model.neck.0.init_cfg.0.checkpoint': 'torchvision://resnet50',
    }


def test_random_weights_need_nothing():
    (check,) = check_weights(cfg(load_from=None))
    assert (check.status, 'random weights' in check.found) == (Status.OK, True)


def test_a_local_file_has_to_be_there(tmp_path):
    path = tmp_path / 'weights.pth'
    (check,) = check_weights(cfg(load_from=str(path)))
    assert check.status is Status.FAIL
    assert check.found == f'load_from={path}: no such file'
    assert 'load_from=None' in check.fix
    path.touch()
    assert check_weights(cfg(load_from=str(path)))[0].status is Status.OK


def test_the_training_that_writes_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (check,) = check_weights(cfg(load_from='work_dirs/frcnn_synthetic/epoch_6.pth'))
    assert check.found.endswith(f'epoch_6.pth: no such file in {tmp_path}')
    assert check.fix.startswith('train configs/digits/frcnn_synthetic.py first, in this folder')
    (check,) = check_weights(cfg(load_from='work_dirs/mine/epoch_6.pth'))
    assert check.fix.startswith('correct load_from')


@pytest.mark.parametrize(
    ('source', 'end'),
    [
        ('weights.pth', None),
        ('~/weights.pth', None),
        ('https://a.org/b/weights.pth?v=1', 'weights.pth?v=1'),
        ('torchvision://resnet50', 'resnet50-0676ba61.pth'),
        ('torchvision-detection://fasterrcnn_resnet50_fpn_v2', '_v2_coco-dd69338a.pth'),
        ('open-mmlab://detectron2/resnet50_caffe', 'resnet50_msra-5891d200.pth'),
    ],
)
def test_names_stand_for_addresses(source, end):
    url = resolve(source).url
    assert url is end is None or url.endswith(end)


@pytest.mark.parametrize(
    ('source', 'nearest'),
    [
        ('torchvision://resnet5', 'torchvision://resnet50'),
        ('torchvision-detection://fasterrcnn', 'torchvision-detection://fasterrcnn_resnet50_fpn'),
        ('nowhere://resnet50', 'http:// or a file'),
    ],
)
def test_unknown_name_tells_the_nearest(source, nearest):
    (check,) = check_weights(cfg(load_from=source))
    assert check.status is Status.FAIL
    assert check.expected.startswith(nearest)


def test_weights_of_a_package_that_is_not_installed_fail_with_its_command():
    model = dict(init_cfg=dict(type='Pretrained', checkpoint='pip://no-such-weights/net.pth'))
    (check,) = check_weights(dict(model=dict(backbone=dict(type='ResNet', **model))))
    assert check.status is Status.FAIL
    assert check.fix.startswith('pip install no-such-weights; or start without')
    assert 'model.backbone.init_cfg=None' in check.fix


def test_weights_that_a_backbone_fetches_itself_are_said():
    backbone = dict(type='TimmBackbone', model_name='resnet18', pretrained=True)
    (check,) = check_weights(dict(model=dict(backbone=backbone)))
    assert (check.status, 'backbone.pretrained' in check.found) == (Status.OK, True)


def test_without_asking_the_address_is_only_said(cache):
    (check,) = check_weights(cfg(load_from='torchvision://resnet50'))
    assert check.status is Status.OK
    assert 'will be fetched from https://download.pytorch.org/' in check.found


def test_what_was_fetched_before_is_there(cache):
    torch.save({}, cache / 'resnet50-0676ba61.pth')
    (check,) = check_weights(cfg(load_from='torchvision://resnet50'), ask=True)
    assert check.status is Status.OK
    assert str(cache) in check.found


def test_server_is_asked_for_the_file(cache, server):
    (check,) = check_weights(cfg(load_from=f'{server}/weights.pth'), ask=True)
    assert check.status is Status.OK
    assert '3 MiB' in check.found
    assert not list(cache.iterdir())


@pytest.mark.parametrize('path', ['{server}/other.pth', 'http://127.0.0.1:9/weights.pth'])
def test_weights_out_of_reach_fail_with_the_way_out(cache, server, path):
    (check,) = check_weights(cfg(load_from=path.format(server=server)), ask=True)
    assert check.status is Status.FAIL
    assert str(cache) in check.fix
    assert 'load_from=FILE.pth' in check.fix
