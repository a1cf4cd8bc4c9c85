import sys

import pytest

from mmdet_digits.checks.finding import Status
from mmdet_digits.checks.neck import check_neck

RESNET = dict(type='ResNet', depth=18, out_indices=(1, 2, 3))
TIMM = dict(type='TimmBackbone', model_name='resnet18', out_indices=(2, 3, 4))


def cfg(backbone, neck):
    return dict(model=dict(backbone=backbone, neck=neck))


@pytest.mark.parametrize('backbone', [RESNET, TIMM], ids=['mmdet', 'timm'])
@pytest.mark.parametrize(
    ('channels', 'fits'), [((128, 256, 512), True), ((64, 128, 256), False), ((128, 256), False)]
)
def test_channels_of_neck_and_backbone(backbone, channels, fits):
    if backbone is TIMM:
        pytest.importorskip('timm', reason="needs the extra 'pretrained'")
    check = check_neck(cfg(backbone, dict(type='FPN', in_channels=channels)))
    assert check.status is (Status.OK if fits else Status.FAIL)
    assert '[128, 256, 512]' in str(check)
    assert ('model.neck.in_channels' in check.fix) is not fits


def test_the_first_of_several_necks_takes_them():
    check = check_neck(cfg(RESNET, [dict(type='FPN', in_channels=[1]), dict(type='DyHead')]))
    assert check.status is Status.FAIL


@pytest.mark.parametrize('neck', [None, dict(type='DilatedEncoder', in_channels=2048)])
def test_nothing_to_compare(neck):
    check = check_neck(cfg(RESNET, neck))
    assert check.status is Status.OK and 'not compared' in check.found


def test_a_missing_package_is_left_to_the_check_of_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    check = check_neck(cfg(TIMM, dict(type='FPN', in_channels=[1, 2, 3])))
    assert check.status is Status.OK and 'not compared' in check.found
