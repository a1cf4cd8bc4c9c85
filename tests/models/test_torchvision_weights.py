"""Names, box predictors, files and the checkpoint scheme. What they compute is tested elsewhere."""

import argparse
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torchvision.models import get_model_builder, get_model_weights

from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.errors import InputError
from mmdet_digits.models import torchvision_weights
from mmdet_digits.models.torchvision_weights import (
    ARCHS,
    SCHEME,
    convert_file,
    convert_state_dict,
    read_state_dict,
)

V1, V2 = ARCHS
HEAD = 'roi_head.bbox_head'


def light_weights(arch, num_outputs=11):
    """Weights of the right names and shapes; each row of the box predictor holds its index.

    All others are one zero, expanded, so that their files are small.
    """
    with torch.device('meta'):
        model = get_model_builder(arch)(
            weights=None, weights_backbone=None, num_classes=num_outputs
        )
    weights = {k: torch.zeros(()).expand(v.shape) for k, v in model.state_dict().items()}
    for key in [key for key in weights if 'box_predictor' in key]:
        rows = torch.arange(len(weights[key]), dtype=torch.float32)
        weights[key] = rows.reshape(-1, *[1] * (weights[key].ndim - 1)).expand(weights[key].shape)
    return weights


@pytest.mark.parametrize('arch', ARCHS)
def test_background_goes_from_first_to_last(arch):
    weights = convert_state_dict(light_weights(arch), arch)
    assert weights[f'{HEAD}.fc_cls.bias'].tolist() == [*range(1, 11), 0]
    assert weights[f'{HEAD}.fc_cls.weight'][:, 0].tolist() == [*range(1, 11), 0]
    assert weights[f'{HEAD}.fc_reg.bias'].tolist() == list(range(4, 44))
    assert weights[f'{HEAD}.fc_reg.weight'][:, 0].tolist() == list(range(4, 44))


def test_coco_head_is_dropped_with_a_message(monkeypatch):
    messages = []
    monkeypatch.setattr(
        torchvision_weights, 'print_log', lambda message, **_: messages.append(message)
    )
    weights = convert_state_dict(light_weights(V2, num_outputs=91), V2)
    whole = convert_state_dict(light_weights(V2), V2)
    assert whole.keys() - weights.keys() == {
        f'{HEAD}.{layer}.{name}' for layer in ('fc_cls', 'fc_reg') for name in ('weight', 'bias')
    }
    assert ['COCO box predictor' in message for message in messages] == [True]


def test_coco_head_is_kept_where_the_classes_match():
    weights = convert_state_dict(light_weights(V2, num_outputs=91), V2, num_classes=90)
    assert weights[f'{HEAD}.fc_cls.bias'].tolist() == [*range(1, 91), 0]


def test_another_head_is_an_error():
    with pytest.raises(
        InputError, match=r'found:    12 outputs\n  expected: 11 (?s:.*) --num-classes 11'
    ):
        convert_state_dict(light_weights(V2, num_outputs=12), V2)


def test_names_of_old_files():
    """The v1 COCO weights: single convs without an index, frozen batch norm without a counter."""
    new = light_weights(V1)
    old = {key: value for key, value in new.items() if 'num_batches_tracked' not in key}
    for key in list(old):
        if 'blocks' in key:
            old[key.replace('.0.weight', '.weight').replace('.0.bias', '.bias')] = old.pop(key)
        elif key.startswith('rpn.head.conv.'):
            old[key.replace('.0.0', '')] = old.pop(key)
    assert 'backbone.fpn.inner_blocks.0.weight' in old and 'rpn.head.conv.bias' in old
    assert convert_state_dict(old, V1).keys() == convert_state_dict(new, V1).keys()


@pytest.mark.parametrize('arch, other, key', [(V1, V2, '5.weight'), (V2, V1, 'fc6.weight')])
def test_wrong_arch_is_told_by_a_key(arch, other, key):
    with pytest.raises(
        InputError, match=f'weights of {other}, not of {arch}(?s:.*){key}(?s:.*)--arch'
    ):
        convert_state_dict(light_weights(other), arch)


def test_every_fault_is_listed():
    weights = light_weights(V2)
    del weights['backbone.body.conv1.weight']
    weights['roi_heads.mask_head.0.weight'] = torch.zeros(1)
    weights['rpn.head.cls_logits.bias'] = torch.zeros(9)
    with pytest.raises(InputError) as error:
        convert_state_dict(weights, V2)
    assert 'missing: backbone.body.conv1.weight' in str(error.value)
    assert 'unknown: roi_heads.mask_head.0.weight' in str(error.value)
    assert 'of another shape: rpn.head.cls_logits.bias' in str(error.value)


def test_no_detector_at_all():
    with pytest.raises(InputError, match=r'missing: .* and \d+ more; unknown: conv1.weight\n'):
        convert_state_dict({'conv1.weight': torch.zeros(1)}, V2)


@pytest.mark.parametrize('name', [None, 'model', 'model_state_dict'])
def test_read_weights_alone_or_nested(tmp_path, name):
    weights = {'a': torch.ones(1)}
    checkpoint = weights if name is None else {name: weights, 'epoch': 3, 'best': 0.5}
    torch.save(checkpoint, tmp_path / 'a.pth')
    assert read_state_dict(tmp_path / 'a.pth') == weights


@pytest.mark.parametrize('content', [b'', b'no checkpoint', b'PK\x03\x04 cut off', b'\x80\x02junk'])
def test_read_what_is_no_checkpoint(tmp_path, content):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(InputError, match=r'a\.pth: (no|cannot be read as a) checkpoint'):
        read_state_dict(tmp_path / 'a.pth')


def test_read_objects_other_than_tensors(tmp_path):
    torch.save({'model': {}, 'args': argparse.Namespace()}, tmp_path / 'a.pth')
    with pytest.raises(InputError, match=r'refused(?s:.*)argparse\.Namespace'):
        read_state_dict(tmp_path / 'a.pth')


def test_read_other_content(tmp_path):
    torch.save({'state_dict': {}, 'meta': {}}, tmp_path / 'a.pth')
    with pytest.raises(InputError, match=r'holds no weights\.\n  found:    state_dict, meta'):
        read_state_dict(tmp_path / 'a.pth')
    with pytest.raises(InputError, match=r'b\.pth: no checkpoint'):
        read_state_dict(tmp_path / 'b.pth')


def test_convert_file(tmp_path):
    src, dst = tmp_path / 'in.pth', tmp_path / 'new/out.pth'
    torch.save({'model': light_weights(V2), 'epoch': 29}, src)
    convert_file(src, dst, V2)
    checkpoint = CheckpointLoader.load_checkpoint(str(dst), map_location='cpu')
    assert checkpoint['meta'] == {
        'source': 'in.pth',
        'arch': V2,
        'dataset_meta': {'classes': DIGITS},
    }
    assert checkpoint['state_dict'].keys() == convert_state_dict(light_weights(V2), V2).keys()
    dst.write_text('kept')
    with pytest.raises(InputError, match=r'out\.pth: already there'):
        convert_file(src, dst, V2)
    assert dst.read_text() == 'kept'
    convert_file(src, dst, V2, overwrite=True)
    assert dst.read_bytes() != b'kept'


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Where torch.hub would keep the v2 COCO weights, in a cache of this test and without a net."""

    def refuse(*args, **kwargs):
        raise URLError('no network')

    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    monkeypatch.setattr(torch.hub, 'download_url_to_file', refuse)
    path = tmp_path / 'hub/checkpoints' / Path(get_model_weights(V2).DEFAULT.url).name
    path.parent.mkdir(parents=True)
    return path


def test_scheme_reads_the_cache(cached):
    torch.save(light_weights(V2, num_outputs=91), cached)
    checkpoint = CheckpointLoader.load_checkpoint(SCHEME + V2)
    assert checkpoint['meta'] == {'source': get_model_weights(V2).DEFAULT.url, 'arch': V2}
    assert f'{HEAD}.shared_fcs.0.weight' in checkpoint['state_dict']
    assert f'{HEAD}.fc_cls.weight' not in checkpoint['state_dict']


def test_scheme_offline(cached):
    with pytest.raises(InputError) as error:
        CheckpointLoader.load_checkpoint(SCHEME + V2)
    for part in (get_model_weights(V2).DEFAULT.url, 'no network', str(cached), 'torchvision2mmdet'):
        assert part in str(error.value)


def test_scheme_with_a_damaged_file(cached):
    cached.write_text('cut off')
    with pytest.raises(InputError, match=r'cannot be read as a checkpoint'):
        CheckpointLoader.load_checkpoint(SCHEME + V2)


def test_scheme_with_an_unknown_architecture():
    with pytest.raises(InputError, match=f'expected: {V1} or {V2}'):
        CheckpointLoader.load_checkpoint(SCHEME + 'resnet50')
